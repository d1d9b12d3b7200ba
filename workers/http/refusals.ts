import { UNWRITTEN_ANNOTATION, type AuditEvent } from '#schema/audit/event.ts';
import { RateBudget } from '#schema/protocol/flow/rate.ts';
import { Rates } from '../cluster/rates.ts';
import { describeError, log } from '../log.ts';
import { landEvents } from '../store/audit.ts';
import { callerOf } from './address.ts';

/**
 * Refusals that one isolate writes of one person, or of one address that nobody is known by; and of all of them together. Somebody who tries a thousand things by hand stays below; a flood costs
 * the database no more than this, and a count.
 */
const LIMITS = {
  source: { perSecond: 0.5, burst: 60 },
  all: { perSecond: 10, burst: 600 },
} as const;

/** What writing a refusal down asks for. */
export interface RefusalDeps {
  readonly db: D1Database;
  /** Rows of the window. */
  readonly rows: number;
  /** Lets work go on after the answer. */
  waitUntil(work: Promise<unknown>): void;
  /** Has the window looked after. */
  upkeep(): void;
}

/** Writes refusals down, bounded. Nobody waits for it, and where the database is away a refusal is only counted: it has changed nothing. */
export class Refusals {
  readonly #sources = new Rates(LIMITS.source);
  readonly #all: RateBudget;
  /** Not written since the last one that was. */
  #unwritten = 0;

  /** @param now epoch ms */
  constructor(now: number) {
    this.#all = new RateBudget(LIMITS.all, now);
  }

  /** @param now epoch ms */
  note(deps: RefusalDeps, event: AuditEvent, now: number): void {
    const source = event.user.uid ?? callerOf(event.sourceIPs?.[0] ?? '');
    if (!this.#sources.spend(source, now) || !this.#all.spend(1, now)) {
      this.#unwritten++;
      return;
    }
    const before = this.#unwritten;
    this.#unwritten = 0;
    deps.waitUntil(this.#write(deps, before === 0 ? event : counted(event, before), before, now));
  }

  async #write(deps: RefusalDeps, event: AuditEvent, before: number, now: number): Promise<void> {
    try {
      const landing = { now: Math.floor(now / 1000), rows: deps.rows };
      if (await landEvents(deps.db, [event], landing)) deps.upkeep();
    } catch (error) {
      this.#unwritten += before + 1;
      log('error', 'a refusal could not be written into the audit log', { error: describeError(error) });
    }
  }
}

const counted = (event: AuditEvent, before: number): AuditEvent => ({
  ...event,
  annotations: { ...event.annotations, [UNWRITTEN_ANNOTATION]: String(before) },
});
