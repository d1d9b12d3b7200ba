import { z } from 'zod';
import { all } from './rows.ts';

const Id = z.object({ id: z.string() });
const Behind = z.object({ id: z.string(), access_version: z.int() });

/** A cluster whose object is not known to hold its newest snapshot. */
export interface Pending {
  readonly id: string;
  readonly version: number;
}

/** Up to `limit` clusters that have connected and are behind, those that have waited longest first; `except` are left out. */
export async function pendingSnapshots(db: D1Database, limit: number, except: ReadonlySet<string>): Promise<Pending[]> {
  const rows = await all(
    db
      .prepare(
        `SELECT id, access_version FROM clusters
         WHERE connected_at IS NOT NULL AND delivered_version < access_version
           AND id NOT IN (SELECT value FROM json_each(?2))
         ORDER BY access_version LIMIT ?1`,
      )
      .bind(limit, JSON.stringify([...except])),
    Behind,
  );
  return rows.map((row) => ({ id: row.id, version: row.access_version }));
}

/** Notes the version that a cluster's object holds. */
export async function recordDelivery(db: D1Database, id: string, version: number): Promise<void> {
  await db
    .prepare('UPDATE clusters SET delivered_version = max(delivered_version, ?2) WHERE id = ?1')
    .bind(id, version)
    .run();
}

/** Up to `limit` removed clusters whose object has not heard. */
export async function pendingRemovals(db: D1Database, limit: number, except: ReadonlySet<string>): Promise<string[]> {
  const rows = await all(
    db
      .prepare(
        `SELECT id FROM forgotten_clusters WHERE id NOT IN (SELECT value FROM json_each(?2))
         ORDER BY deleted_at LIMIT ?1`,
      )
      .bind(limit, JSON.stringify([...except])),
    Id,
  );
  return rows.map((row) => row.id);
}

/** Notes that a removed cluster's object has heard. */
export async function recordRemoval(db: D1Database, id: string): Promise<void> {
  await db.prepare('DELETE FROM forgotten_clusters WHERE id = ?1').bind(id).run();
}
