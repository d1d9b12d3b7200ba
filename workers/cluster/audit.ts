import { CLUSTER_ANNOTATION, atStage, type AuditEvent } from '#schema/audit/event.ts';
import { droppedEvent } from '../audit/events.ts';
import { describeError, log } from '../log.ts';
import {
  AUDIT_AT_ONCE,
  AUDIT_BATCH_CHARACTERS,
  AUDIT_DROP,
  AUDIT_FLUSH_MS,
  AUDIT_OPEN_MS,
  AUDIT_RETRY_MS,
  MAX_AUDIT_ROWS,
} from '../audit/limits.ts';
import type { AuditRow, Storage } from './storage.ts';

/** RFC 9110 §15.2.2: the response has begun, and nobody knows when it ends. */
const SWITCHING_PROTOCOLS = 101;

/** What the buffer asks of its object. */
export interface AuditDeps {
  now(): number;
  /** Arms the object's one alarm, which calls {@link AuditBuffer.alarm}; null: disarms it. Written together with what this turn has stored. */
  setAlarm(at: number | null): void;
  /** Runs something once what is being answered is on its way: what is stored before that holds the answer back (Durable Objects, "output gates"). */
  later(work: () => void): void;
  /** Keeps events in the plane's database, where they are kept once however often they come. */
  land(events: readonly AuditEvent[]): Promise<void>;
}

type Kept = Pick<
  Storage,
  'exists' | 'addAudit' | 'answerAudit' | 'auditToLand' | 'auditLanded' | 'auditWaiting' | 'dropAudit' | 'takeDropped'
>;

/**
 * The audit events of one cluster on their way to the plane's database. Each is stored here before its call is sent, and stays until the database has it. An alarm carries them there in batches: the object sleeps
 * meanwhile. While the database is away they wait; beyond {@link MAX_AUDIT_ROWS} the oldest are dropped, and an event says how many.
 */
export class AuditBuffer {
  readonly #kept: Kept;
  readonly #deps: AuditDeps;
  /** When the alarm comes, epoch ms; 0: not known to be armed. */
  #alarmAt = 0;
  /** Rows that are stored; null: not counted since waking. */
  #rows: number | null = null;
  #retryMs: number = AUDIT_RETRY_MS.first;
  #flushing: Promise<boolean> | null = null;

  constructor(kept: Kept, deps: AuditDeps) {
    this.#kept = kept;
    this.#deps = deps;
  }

  /**
   * Runs a call whose event is stored before it, and completed by its answer. Where no agent has ever been nothing is stored, and nothing is sent.
   * @param stored is called once the event is stored
   */
  async around(
    event: AuditEvent,
    run: () => Promise<Response>,
    statusOf: (error: unknown) => number,
    stored: () => void = () => undefined,
  ): Promise<Response> {
    if (!this.#kept.exists) return await run();
    this.#makeRoom();
    const id = this.#kept.addAudit(event, this.#deps.now());
    stored();
    this.#arm();
    const answered = (code: number): void => {
      const at = this.#deps.now();
      this.#deps.later(() => this.#answered(id, code, at));
    };
    try {
      const response = await run();
      answered(response.status);
      return response;
    } catch (error) {
      answered(statusOf(error));
      throw error;
    }
  }

  /** The alarm has come. Never throws: what could not land is tried again. */
  async alarm(): Promise<void> {
    if (!this.#kept.exists) return;
    // First, because a run that is cut short must be followed by another.
    this.#armAt(this.#deps.now() + this.#retryMs);
    const more = await this.#flushed();
    if (more === null) {
      this.#retryMs = Math.min(this.#retryMs * 2, AUDIT_RETRY_MS.longest);
      return;
    }
    this.#retryMs = AUDIT_RETRY_MS.first;
    if (!this.#kept.exists) return;
    const now = this.#deps.now();
    // By an alarm, because a new invocation has new limits.
    if (more) this.#armAt(now);
    else this.#armAt(this.#kept.auditWaiting().toLand ? now + AUDIT_FLUSH_MS : null);
  }

  /** Lands everything now, also what is not answered. @throws where the database is away */
  async drain(): Promise<void> {
    while (this.#kept.exists && (await this.#flush(Infinity)));
  }

  /** Whether there is more to land at once; null: the database is away. */
  async #flushed(): Promise<boolean | null> {
    try {
      return await this.#flush(this.#deps.now() - AUDIT_OPEN_MS);
    } catch (error) {
      log('error', 'audit events wait for the database', { error: describeError(error) });
      return null;
    }
  }

  /** One batch after another: a second one at once would only send the same. */
  async #flush(openBefore: number): Promise<boolean> {
    while (this.#flushing !== null) await this.#flushing.catch(() => undefined);
    this.#flushing = this.#flushOnce(openBefore).finally(() => (this.#flushing = null));
    return await this.#flushing;
  }

  async #flushOnce(openBefore: number): Promise<boolean> {
    if (!this.#kept.exists) return false;
    const due = this.#kept.auditToLand(AUDIT_AT_ONCE, openBefore);
    const rows = due.slice(0, fitting(due));
    this.#reportDropped(rows);
    const events = rows.flatMap(eventOf);
    if (events.length > 0) await this.#deps.land(events);
    if (!this.#kept.exists) return false;
    this.#kept.auditLanded(rows);
    this.#rows = null;
    return rows.length < due.length || rows.length === AUDIT_AT_ONCE;
  }

  /** Events were dropped where there were too many, so there are some. An object that an alarm wakes knows its cluster from them alone. */
  #reportDropped(rows: readonly AuditRow[]): void {
    const cluster = rows.find(({ event }) => event !== null)?.event?.annotations[CLUSTER_ANNOTATION];
    if (cluster === undefined) return;
    const now = this.#deps.now();
    this.#kept.takeDropped((dropped) => droppedEvent(cluster, dropped, now), now);
  }

  #answered(id: number, code: number, at: number): void {
    if (!this.#kept.exists) return;
    this.#kept.answerAudit(id, code, at);
    this.#arm();
  }

  #makeRoom(): void {
    this.#rows ??= this.#kept.auditWaiting().rows;
    if (this.#rows >= MAX_AUDIT_ROWS) {
      this.#kept.dropAudit(AUDIT_DROP);
      this.#rows -= AUDIT_DROP;
      log('error', 'audit events were dropped: too many wait for the database', { dropped: AUDIT_DROP });
    }
    this.#rows++;
  }

  #arm(): void {
    const now = this.#deps.now();
    if (this.#alarmAt < now) this.#armAt(now + AUDIT_FLUSH_MS);
  }

  #armAt(at: number | null): void {
    this.#alarmAt = at ?? 0;
    this.#deps.setAlarm(at);
  }
}

/** What a row says to the plane's database: how it ended; else, once, that it began. */
function eventOf({ event, landed, answer }: AuditRow): AuditEvent[] {
  if (event === null) return [];
  if (answer === null) return landed ? [] : [event];
  const stage = answer.code === SWITCHING_PROTOCOLS ? 'ResponseStarted' : 'ResponseComplete';
  return [atStage(event, stage, answer.code, answer.at)];
}

/** How many of the rows fit into one statement; at least one. */
function fitting(rows: readonly AuditRow[]): number {
  let characters = 0;
  const over = rows.findIndex(({ event }) => (characters += JSON.stringify(event).length) > AUDIT_BATCH_CHARACTERS);
  return over < 0 ? rows.length : Math.max(over, 1);
}
