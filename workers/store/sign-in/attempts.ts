import * as z from 'zod';
import { unwitnessed } from '../writes.ts';

const Count = z.object({ bucket: z.string(), attempts: z.int() });

/** A sliding window: at most `limit` attempts within `seconds`. */
export interface Window {
  readonly bucket: string;
  readonly limit: number;
  readonly seconds: number;
}

/** Rows older than this are dropped; no window is longer. */
export const LONGEST_WINDOW_SECONDS = 3600;

/**
 * Counts an attempt in every window *before* it is made, so that attempts made at once count each other. Returns the windows that are full; an attempt that is
 * turned away for one is not counted in any.
 */
export async function countAttempt(
  given: D1Database,
  attempt: string,
  windows: readonly Window[],
  now: number,
): Promise<Window[]> {
  const db = unwitnessed(given);
  const results = await db.batch([
    db.prepare('DELETE FROM sign_in_attempts WHERE at <= ?1').bind(now - LONGEST_WINDOW_SECONDS),
    ...windows.map((window) =>
      db
        .prepare('INSERT INTO sign_in_attempts (bucket, attempt, at) VALUES (?1, ?2, ?3)')
        .bind(window.bucket, attempt, now),
    ),
    ...windows.map((window) =>
      db
        .prepare('SELECT ?1 AS bucket, count(*) AS attempts FROM sign_in_attempts WHERE bucket = ?1 AND at > ?2')
        .bind(window.bucket, now - window.seconds),
    ),
  ]);
  const counts = z.array(Count).parse(results.slice(-windows.length).flatMap((result) => result.results));
  const full = windows.filter((window) =>
    counts.some((count) => count.bucket === window.bucket && count.attempts > window.limit),
  );
  if (full.length > 0) await forgetAttempt(db, attempt, windows);
  return full;
}

/** Takes an attempt back from the windows that it was counted in: it was no failure. By the key, since the table holds every failure of an hour. */
export async function forgetAttempt(db: D1Database, attempt: string, windows: readonly Window[]): Promise<void> {
  await unwitnessed(db)
    .prepare('DELETE FROM sign_in_attempts WHERE bucket IN (SELECT value FROM json_each(?1)) AND attempt = ?2')
    .bind(JSON.stringify(windows.map(({ bucket }) => bucket)), attempt)
    .run();
}
