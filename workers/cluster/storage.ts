import { AccessSnapshot } from '#schema/access.ts';
import { AuditEvent } from '#schema/audit/event.ts';
import { log } from '../log.ts';
import { MIGRATIONS } from './migrations.ts';

/** Incarnations are 16 bits on the wire and 0 means none yet. */
const MAX_INCARNATION = 0xffff;

/** A spilled piece of upload. */
export interface SpilledRow {
  id: number;
  flags: number;
  data: Uint8Array;
}

/** An audit event that the plane's database does not have yet, or only as its beginning. */
export interface AuditRow {
  id: number;
  /** Null: another deploy wrote it, and this one cannot read it. */
  event: AuditEvent | null;
  /** Somebody waits for its answer. */
  open: boolean;
  landed: boolean;
  /** Null: not answered, or nobody heard it. */
  answer: { code: number; at: number } | null;
}

/**
 * All SQL of a cluster object. Nothing is written before {@link Storage.create}: an object whose storage is empty when it shuts down ceases to exist
 * (Durable Objects, "lifecycle"), so an id that no agent ever dialled leaves nothing behind, and the object is made anew near its agent.
 */
export class Storage {
  readonly #state: DurableObjectState;
  #exists: boolean;

  constructor(state: DurableObjectState) {
    this.#state = state;
    this.#exists = this.#rows("SELECT name FROM sqlite_master WHERE name = 'meta'").length > 0;
    if (this.#exists) {
      this.#migrate();
      // Streams die with the object's memory, and what they had spilled with them.
      this.#run('DELETE FROM spill');
      // And nobody waits for an answer any more.
      this.#run('DELETE FROM audit WHERE open = 1 AND landed = 1');
      this.#run('UPDATE audit SET open = 0 WHERE open = 1');
    }
  }

  /** Whether an agent has ever dialled. */
  get exists(): boolean {
    return this.#exists;
  }

  /** Makes the tables; idempotent. */
  create(): void {
    if (this.#exists) return;
    this.#migrate();
    this.#exists = true;
  }

  /** Removes everything; the object ceases to exist once it shuts down. */
  async destroy(): Promise<void> {
    this.#exists = false;
    await this.#state.storage.deleteAlarm();
    await this.#state.storage.deleteAll();
  }

  /** The next incarnation of the tunnel protocol (README "Incarnations"), persisted before it is used. */
  nextIncarnation(): number {
    const next = (Number(this.#get('incarnation') ?? 0) % MAX_INCARNATION) + 1;
    this.#set('incarnation', String(next));
    return next;
  }

  /** The held snapshot. A row that its schema refuses counts as none: it is fetched anew. */
  snapshot(): AccessSnapshot | null {
    const text = this.#exists ? this.#get('snapshot') : null;
    if (text === null) return null;
    const parsed = AccessSnapshot.safeParse(parseJson(text));
    if (!parsed.success) log('error', 'stored snapshot is not valid', { issues: parsed.error.issues.length });
    return parsed.data ?? null;
  }

  setSnapshot(snapshot: AccessSnapshot): void {
    this.#set('snapshot', JSON.stringify(snapshot));
  }

  /** Whether the plane knows that this cluster has connected, and so tells this object of changes. */
  recorded(): boolean {
    return this.#exists && this.#get('recorded') !== null;
  }

  setRecorded(): void {
    this.#set('recorded', 'true');
  }

  /** When the last tunnel was lost, epoch ms; null while one is up, or when the object died with it. */
  lostAt(): number | null {
    const text = this.#exists ? this.#get('lost_at') : null;
    return text === null ? null : Number(text);
  }

  setLostAt(at: number | null): void {
    if (at === null) this.#run("DELETE FROM meta WHERE key = 'lost_at'");
    else this.#set('lost_at', String(at));
  }

  spill(upload: number, flags: number, data: Uint8Array): void {
    this.#run('INSERT INTO spill (upload, flags, data) VALUES (?, ?, ?)', upload, flags, data);
  }

  /** The oldest spilled piece of an upload. */
  spilled(upload: number): SpilledRow | null {
    const [row] = this.#rows('SELECT id, flags, data FROM spill WHERE upload = ? ORDER BY id LIMIT 1', upload);
    if (row === undefined) return null;
    const data = row['data'];
    return {
      id: Number(row['id']),
      flags: Number(row['flags']),
      data: new Uint8Array(data instanceof ArrayBuffer ? data : new ArrayBuffer(0)),
    };
  }

  deleteSpilled(id: number): void {
    this.#run('DELETE FROM spill WHERE id = ?', id);
  }

  deleteAllSpilled(upload: number): void {
    this.#run('DELETE FROM spill WHERE upload = ?', upload);
  }

  /** @param at epoch ms @returns the row's id */
  addAudit(event: AuditEvent, at: number, open = true): number {
    const [row] = this.#rows(
      'INSERT INTO audit (event, received_at, open, landed) VALUES (?, ?, ?, 0) RETURNING id',
      JSON.stringify(event),
      at,
      Number(open),
    );
    return Number(row?.['id']);
  }

  answerAudit(id: number, code: number, at: number): void {
    this.#run('UPDATE audit SET open = 0, code = ?2, answered_at = ?3 WHERE id = ?1', id, code, at);
  }

  /** What is to land: all that is over, and of what is open the beginning, where it began before `openBefore`. Oldest first. */
  auditToLand(limit: number, openBefore: number): AuditRow[] {
    const due = 'open = 0 OR (landed = 0 AND received_at < ?)';
    return this.#rows(`SELECT * FROM audit WHERE ${due} ORDER BY id LIMIT ?`, openBefore, limit).map((row) => {
      const parsed = AuditEvent.safeParse(typeof row['event'] === 'string' ? parseJson(row['event']) : null);
      if (!parsed.success) log('error', 'stored audit event is not valid', { issues: parsed.error.issues.length });
      return {
        id: Number(row['id']),
        event: parsed.data ?? null,
        open: row['open'] === 1,
        landed: row['landed'] === 1,
        answer: row['code'] === null ? null : { code: Number(row['code']), at: Number(row['answered_at']) },
      };
    });
  }

  /** The rows are in the plane's database; those whose answer came meanwhile stay for that. */
  auditLanded(rows: readonly AuditRow[]): void {
    this.#state.storage.transactionSync(() => {
      for (const { id, open } of rows) {
        if (open) this.#run('UPDATE audit SET landed = 1 WHERE id = ?', id);
        else this.#run('DELETE FROM audit WHERE id = ?', id);
      }
    });
  }

  /** How many events wait, and whether one of them will land without anything else happening. */
  auditWaiting(): { rows: number; toLand: boolean } {
    const [row] = this.#rows('SELECT count(*) AS n, sum(open = 0 OR landed = 0) AS due FROM audit');
    return { rows: Number(row?.['n']), toLand: Number(row?.['due'] ?? 0) > 0 };
  }

  /** Drops the oldest events, and counts them for {@link takeDropped}. */
  dropAudit(count: number): void {
    this.#state.storage.transactionSync(() => {
      this.#run('DELETE FROM audit WHERE id IN (SELECT id FROM audit ORDER BY id LIMIT ?)', count);
      this.#set('audit_dropped', String(Number(this.#get('audit_dropped') ?? 0) + count));
    });
  }

  /** Puts an event into the place of the count of what was dropped, if there is one. */
  takeDropped(eventOf: (dropped: number) => AuditEvent, at: number): void {
    const dropped = Number(this.#get('audit_dropped') ?? 0);
    if (dropped === 0) return;
    this.#state.storage.transactionSync(() => {
      this.addAudit(eventOf(dropped), at, false);
      this.#run("DELETE FROM meta WHERE key = 'audit_dropped'");
    });
  }

  #migrate(): void {
    this.#state.storage.transactionSync(() => {
      this.#run('CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL) STRICT');
      const done = Number(this.#rows('SELECT version FROM schema_version')[0]?.['version'] ?? 0);
      for (const migration of MIGRATIONS.slice(done)) this.#run(migration);
      if (done === MIGRATIONS.length) return;
      this.#run('DELETE FROM schema_version');
      this.#run('INSERT INTO schema_version VALUES (?)', MIGRATIONS.length);
    });
  }

  #get(key: string): string | null {
    const value = this.#rows('SELECT value FROM meta WHERE key = ?', key)[0]?.['value'];
    return typeof value === 'string' ? value : null;
  }

  #set(key: string, value: string): void {
    this.#run('INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value', key, value);
  }

  #rows(sql: string, ...bindings: SqlStorageValue[]): Record<string, SqlStorageValue>[] {
    return this.#state.storage.sql.exec(sql, ...bindings).toArray();
  }

  #run(sql: string, ...bindings: (SqlStorageValue | Uint8Array)[]): void {
    this.#state.storage.sql.exec(sql, ...bindings);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
