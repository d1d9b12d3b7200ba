import * as z from 'zod';
import { AuditEvent, CLUSTER_ANNOTATION, type AuditStage } from '#schema/audit/event.ts';
import { all, changes, first } from './rows.ts';

/** What is moved or removed at once: some MB, and far below what D1 takes in one statement. */
const MOVED_AT_ONCE = 1_000;

/** How often somebody looks whether the window is exceeded, seconds. */
const UPKEEP_SECONDS = 600;

/** How much is kept. */
export interface AuditWindow {
  readonly days: number;
  readonly rows: number;
}

/** Where a row stands in the order of time. */
export const AuditPlace = z.tuple([z.int(), z.string(), z.string()]);
export type AuditPlace = z.infer<typeof AuditPlace>;

/** An event and its place. */
export interface StoredEvent {
  readonly place: AuditPlace;
  readonly event: AuditEvent;
}

const Row = z
  .object({ received_ms: z.int(), audit_id: z.string(), stage: z.string(), event: z.string() })
  .transform((row): StoredEvent => ({
    place: [row.received_ms, row.audit_id, row.stage],
    event: AuditEvent.parse(JSON.parse(row.event)),
  }));

const COLUMNS = 'received_ms, audit_id, stage, event';

const columnsOf = (event: AuditEvent): (string | number)[] => [
  event.auditID,
  event.stage,
  Date.parse(event.requestReceivedTimestamp),
  event.user.uid ?? '',
  event.annotations[CLUSTER_ANNOTATION] ?? '',
  event.verb,
  event.objectRef?.resource ?? '',
  event.objectRef?.name ?? '',
  JSON.stringify(event),
];

/** Keeps events; those that are there already change nothing. One statement and one parameter, however many. */
export function addEvents(db: D1Database, events: readonly AuditEvent[]): D1PreparedStatement {
  const values = Array.from({ length: 9 }, (_, i) => `json_extract(value, '$[${i}]')`).join(', ');
  return db
    .prepare(
      `INSERT OR IGNORE INTO audit_events
         (audit_id, stage, received_ms, actor, cluster_id, verb, resource, name, event)
       SELECT ${values} FROM json_each(?1)`,
    )
    .bind(JSON.stringify(events.map(columnsOf)));
}

/** Removes what an earlier stage of a call has left: the later one says all of it. */
function removeStage(db: D1Database, auditId: string, stage: AuditStage): D1PreparedStatement {
  return db.prepare('DELETE FROM audit_events WHERE audit_id = ?1 AND stage = ?2').bind(auditId, stage);
}

/** Moves the moment on, for one of those who come after it. */
function takeUpkeep(db: D1Database, now: number): D1PreparedStatement {
  return db.prepare('UPDATE audit_upkeep SET due_at = ?1 + ?2 WHERE id = 1 AND due_at <= ?1').bind(now, UPKEEP_SECONDS);
}

/** Keeps events. @returns whether the caller is the one who is to look after the window. @param now epoch seconds */
export async function landEvents(db: D1Database, events: readonly AuditEvent[], now: number): Promise<boolean> {
  const results = await db.batch([addEvents(db, events), takeUpkeep(db, now)]);
  return changes(results.at(-1)) === 1;
}

/** Keeps how a call of the plane's own ended, in the place of its beginning. Returns as {@link landEvents}. */
export async function landAnswer(db: D1Database, event: AuditEvent, now: number): Promise<boolean> {
  const results = await db.batch([
    removeStage(db, event.auditID, 'RequestReceived'),
    addEvents(db, [event]),
    takeUpkeep(db, now),
  ]);
  return changes(results.at(-1)) === 1;
}

/** There is more to move than one turn takes: whoever comes next goes on. */
export async function hastenUpkeep(db: D1Database): Promise<void> {
  await db.prepare('UPDATE audit_upkeep SET due_at = 0 WHERE id = 1').run();
}

/** The oldest events outside the window, at most {@link MOVED_AT_ONCE}. @param now epoch seconds */
export async function eventsPastWindow(db: D1Database, window: AuditWindow, now: number): Promise<StoredEvent[]> {
  const oldest = `SELECT ${COLUMNS} FROM audit_events`;
  const order = 'ORDER BY received_ms, audit_id, stage LIMIT ?1';
  const earliest = (now - window.days * 86_400) * 1000;
  const old = await all(db.prepare(`${oldest} WHERE received_ms < ?2 ${order}`).bind(MOVED_AT_ONCE, earliest), Row);
  if (old.length > 0) return old;
  const counted = await first(db.prepare('SELECT count(*) AS n FROM audit_events'), z.object({ n: z.int() }));
  const over = (counted?.n ?? 0) - window.rows;
  return over <= 0 ? [] : await all(db.prepare(`${oldest} ${order}`).bind(Math.min(over, MOVED_AT_ONCE)), Row);
}

export async function removeEvents(db: D1Database, places: readonly AuditPlace[]): Promise<void> {
  await db
    .prepare(
      `DELETE FROM audit_events WHERE (audit_id, stage) IN
         (SELECT json_extract(value, '$[1]'), json_extract(value, '$[2]') FROM json_each(?1))`,
    )
    .bind(JSON.stringify(places))
    .run();
}

/** What is looked for; null: whatever it is. Moments: epoch ms. */
export interface AuditFilter {
  readonly actor: string | null;
  readonly cluster: string | null;
  readonly verb: string | null;
  readonly resource: string | null;
  readonly name: string | null;
  readonly from: number | null;
  readonly to: number | null;
  /** Only events older than this one. */
  readonly after: AuditPlace | null;
}

/** At most `limit` events, newest first. */
export async function findEvents(db: D1Database, filter: AuditFilter, limit: number): Promise<StoredEvent[]> {
  const conditions: [sql: string, ...values: (string | number)[]][] = [];
  const add = (sql: string, value: string | number | null): void => {
    if (value !== null) conditions.push([sql, value]);
  };
  add('actor = ?', filter.actor);
  add('cluster_id = ?', filter.cluster);
  add('verb = ?', filter.verb);
  add('resource = ?', filter.resource);
  add('name = ?', filter.name);
  add('received_ms >= ?', filter.from);
  add('received_ms < ?', filter.to);
  if (filter.after !== null) conditions.push(['(received_ms, audit_id, stage) < (?, ?, ?)', ...filter.after]);
  const where = conditions.length === 0 ? '' : `WHERE ${conditions.map(([sql]) => sql).join(' AND ')}`;
  const values = conditions.flatMap(([, ...bound]) => bound);
  return await all(
    db
      .prepare(
        `SELECT ${COLUMNS} FROM audit_events ${where}
         ORDER BY received_ms DESC, audit_id DESC, stage DESC LIMIT ?`,
      )
      .bind(...values, limit),
    Row,
  );
}
