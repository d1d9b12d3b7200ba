import * as z from 'zod';
import { CLUSTER_ANNOTATION, REFUSED_ANNOTATION, type AuditEvent, type AuditStage } from '#schema/audit/event.ts';
import { all, changes, first } from './rows.ts';

/** What is moved or removed at once: some MB, and far below what D1 takes in one statement. */
const MOVED_AT_ONCE = 1_000;

/** … and the characters of those together, of up to three octets: an object has 128 MB, and what is moved is there as rows, as text and packed. At least one event is moved, whatever its size. */
const MOVED_CHARACTERS = 2_000_000;

/** How often the keeper of the window is told that there are events, seconds: it might not know of the first ones. */
const UPKEEP_SECONDS = 600;

/** So many may be too many before the keeper is told, as a part of the window: else each event of a full window would call it. */
const SLACK = 1 / 100;

/** The part of the window that refusals may take where there are too many events: strangers can cause any number, and must not push out what was done. */
const REFUSALS_SHARE = 1 / 10;

/** How much is kept. */
export interface AuditWindow {
  readonly days: number;
  readonly rows: number;
}

/** Where a row stands in the order of time. */
export const AuditPlace = z.tuple([z.int(), z.string(), z.string()]);
export type AuditPlace = z.infer<typeof AuditPlace>;

/** A row: an event as it was written, perhaps by another deploy, and its place. */
export interface StoredEvent {
  readonly place: AuditPlace;
  /** JSON. */
  readonly text: string;
}

const Row = z
  .object({ received_ms: z.int(), audit_id: z.string(), stage: z.string(), event: z.string() })
  .transform((row): StoredEvent => ({
    place: [row.received_ms, row.audit_id, row.stage],
    text: row.event,
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
  event.annotations[REFUSED_ANNOTATION] === undefined ? 0 : 1,
];

/** `WHERE` comes after it. */
const INSERT = `INSERT OR IGNORE INTO audit_events
    (audit_id, stage, received_ms, actor, cluster_id, verb, resource, name, event, refusal)
  SELECT ${Array.from({ length: 10 }, (_, i) => `json_extract(value, '$[${i}]')`).join(', ')} FROM json_each(?1)`;

/** Keeps events; those that are there already change nothing. One statement and one parameter, however many. */
function addEvents(db: D1Database, events: readonly AuditEvent[]): D1PreparedStatement {
  return db.prepare(INSERT).bind(JSON.stringify(events.map(columnsOf)));
}

/** Keeps an event, if the statement before it in the same batch has changed a row. */
export function addEventIfChanged(db: D1Database, event: AuditEvent): D1PreparedStatement {
  return db.prepare(`${INSERT} WHERE changes() > 0`).bind(JSON.stringify([columnsOf(event)]));
}

/** Removes what an earlier stage of a call has left: the later one says all of it. */
function removeStage(db: D1Database, auditId: string, stage: AuditStage): D1PreparedStatement {
  return db.prepare('DELETE FROM audit_events WHERE audit_id = ?1 AND stage = ?2').bind(auditId, stage);
}

/** Moves the moment on, for one of those who come after it; and whoever finds too many rows is told so each time. */
export function takeUpkeep(db: D1Database, { now, rows }: Landing): D1PreparedStatement {
  return db
    .prepare('UPDATE audit_upkeep SET due_at = ?1 + ?2 WHERE id = 1 AND (due_at <= ?1 OR events > ?3)')
    .bind(now, UPKEEP_SECONDS, rows + Math.ceil(rows * SLACK));
}

/** When events land, epoch seconds, and how many rows the window has. */
export interface Landing {
  readonly now: number;
  readonly rows: number;
}

/** Keeps events. @returns whether the caller is to have the window looked after */
export async function landEvents(db: D1Database, events: readonly AuditEvent[], landing: Landing): Promise<boolean> {
  const results = await db.batch([addEvents(db, events), takeUpkeep(db, landing)]);
  return changes(results.at(-1)) > 0;
}

/** Keeps how a call of the plane's own ended, in the place of its beginning. Returns as {@link landEvents}. */
export async function landAnswer(db: D1Database, event: AuditEvent, landing: Landing): Promise<boolean> {
  const results = await db.batch([
    removeStage(db, event.auditID, 'RequestReceived'),
    addEvents(db, [event]),
    takeUpkeep(db, landing),
  ]);
  return changes(results.at(-1)) > 0;
}

const Counts = z.object({ events: z.int(), refusals: z.int() });

/** The oldest events outside the window, at most {@link MOVED_AT_ONCE} and some {@link MOVED_CHARACTERS}: first what is too old; then what is too much, refusals before others as long as they have more than their share. @param now epoch seconds */
export async function eventsPastWindow(db: D1Database, window: AuditWindow, now: number): Promise<StoredEvent[]> {
  const oldest = async (where: string, limit: number, ...values: number[]): Promise<StoredEvent[]> =>
    await all(
      db
        .prepare(
          `SELECT ${COLUMNS} FROM (
             SELECT ${COLUMNS}, sum(length(event)) OVER (ORDER BY received_ms, audit_id, stage) - length(event) AS before
             FROM (SELECT ${COLUMNS} FROM audit_events WHERE ${where} ORDER BY received_ms, audit_id, stage LIMIT ?1))
           WHERE before < ${MOVED_CHARACTERS} ORDER BY received_ms, audit_id, stage`,
        )
        .bind(Math.min(limit, MOVED_AT_ONCE), ...values),
      Row,
    );
  const old = await oldest('received_ms < ?2', MOVED_AT_ONCE, (now - window.days * 86_400) * 1000);
  if (old.length > 0) return old;
  const counted = await first(db.prepare('SELECT events, refusals FROM audit_upkeep WHERE id = 1'), Counts);
  const over = (counted?.events ?? 0) - window.rows;
  if (over <= 0) return [];
  const refused = (counted?.refusals ?? 0) - Math.floor(window.rows * REFUSALS_SHARE);
  return refused > 0 ? await oldest('refusal = 1', Math.min(over, refused)) : await oldest('refusal = 0', over);
}

/** When the oldest event was received, epoch ms; null: there is none. */
export async function oldestEvent(db: D1Database): Promise<number | null> {
  const row = await first(
    db.prepare('SELECT min(received_ms) AS oldest FROM audit_events'),
    z.object({ oldest: z.int().nullable() }),
  );
  return row?.oldest ?? null;
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
