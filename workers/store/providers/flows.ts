import { changes } from '../rows.ts';
import { unwitnessed } from '../writes.ts';

/** Notes that a browser's sign-in came back, and drops those that have expired. False: it has come back before. */
export async function finishFlow(
  given: D1Database,
  { id, expiresAt, now }: { id: string; expiresAt: number; now: number },
): Promise<boolean> {
  // Only that a browser came back: how it ended is in the audit log.
  const db = unwitnessed(given);
  const [, inserted] = await db.batch([
    db.prepare('DELETE FROM finished_flows WHERE expires_at <= ?1').bind(now),
    db
      .prepare('INSERT INTO finished_flows (id, expires_at) VALUES (?1, ?2) ON CONFLICT DO NOTHING')
      .bind(id, expiresAt),
  ]);
  return changes(inserted) === 1;
}
