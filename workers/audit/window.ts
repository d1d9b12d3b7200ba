import { base32 } from '#schema/ids.ts';
import { eventsPastWindow, removeEvents, type StoredEvent, type AuditWindow } from '../store/audit.ts';

/** Turns of one run: with its queries and puts it stays far below what one invocation may do. */
const MAX_TURNS = 10;

/** Where old events go: an R2 bucket is one. */
export interface Archive {
  put(key: string, content: ArrayBuffer): Promise<unknown>;
}

/** What {@link keepWindow} works with. `now`: epoch seconds; `archive` null: what leaves is gone. */
export interface WindowDeps {
  readonly archive: Archive | null;
  readonly window: AuditWindow;
  readonly now: number;
}

/**
 * Moves what is outside the window out of the database, oldest first: to the archive, or, without one, away. An event is removed once the archive has it, so a run that is cut short
 * moves some twice, under the same key if they are the same; a reader tells events apart by id and stage.
 * @returns whether there may be more to move
 */
export async function keepWindow(db: D1Database, deps: WindowDeps): Promise<boolean> {
  for (let turn = 0; turn < MAX_TURNS; turn++) {
    if (!(await moveSome(db, deps))) return false;
  }
  return true;
}

/** False: there are no more. */
async function moveSome(db: D1Database, { archive, window, now }: WindowDeps): Promise<boolean> {
  const past = await eventsPastWindow(db, window, now);
  if (past.length === 0) return false;
  if (archive !== null) await put(archive, past);
  const places = past.map(({ place }) => place);
  await removeEvents(db, places);
  return true;
}

/** One object for each day: `audit/2026-11-28/<hash>.ndjson.gz`. As they were written: what this deploy cannot read must not keep the others here. */
async function put(archive: Archive, events: readonly StoredEvent[]): Promise<void> {
  for (const [day, ofDay] of Map.groupBy(events, ({ place }) => new Date(place[0]).toISOString().slice(0, 10))) {
    const text = new TextEncoder().encode(ofDay.map((event) => `${event.text.replaceAll('\n', ' ')}\n`).join(''));
    const hash = base32(new Uint8Array(await crypto.subtle.digest('SHA-256', text))).slice(0, 32);
    const packed = new Response(text).body?.pipeThrough(new CompressionStream('gzip'));
    await archive.put(`audit/${day}/${hash}.ndjson.gz`, await new Response(packed).arrayBuffer());
  }
}
