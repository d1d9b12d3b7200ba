import * as z from 'zod';
import { all } from '../rows.ts';

const Id = z.object({ id: z.string() });
const Behind = z.object({ id: z.string(), access_version: z.int() });

/** A cluster whose object is not known to hold its newest snapshot. */
export interface Pending {
  readonly id: string;
  readonly version: number;
}

/** Which clusters are asked about, by id. */
export type Among = { readonly among: readonly string[] } | { readonly except: readonly string[] };

/** The condition of {@link Among} on `id`, and the value of its parameter `?2`. */
function condition(which: Among): readonly [sql: string, ids: string] {
  return 'among' in which
    ? ['id IN (SELECT value FROM json_each(?2))', JSON.stringify(which.among)]
    : ['id NOT IN (SELECT value FROM json_each(?2))', JSON.stringify(which.except)];
}

/** Up to `limit` clusters that have connected and are behind, those that have waited longest first. */
export async function pendingSnapshots(db: D1Database, limit: number, which: Among): Promise<Pending[]> {
  const [chosen, ids] = condition(which);
  const rows = await all(
    db
      .prepare(
        `SELECT id, access_version FROM clusters
         WHERE connected_at IS NOT NULL AND deleted_at IS NULL AND delivered_version < access_version AND ${chosen}
         ORDER BY access_version LIMIT ?1`,
      )
      .bind(limit, ids),
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

/** Up to `limit` clusters that are removed, or are being, whose object has not heard. */
export async function pendingRemovals(db: D1Database, limit: number, which: Among): Promise<string[]> {
  const [chosen, ids] = condition(which);
  const rows = await all(
    db.prepare(`SELECT id FROM forgotten_clusters WHERE ${chosen} ORDER BY deleted_at LIMIT ?1`).bind(limit, ids),
    Id,
  );
  return rows.map((row) => row.id);
}

/** Notes that a removed cluster's object has heard. */
export async function recordRemoval(db: D1Database, id: string): Promise<void> {
  await db.prepare('DELETE FROM forgotten_clusters WHERE id = ?1').bind(id).run();
}

/**
 * Some object holds that version. If the counter is below, the database is a backup that was restored: then the counter rises past it, and every cluster is marked,
 * since what they hold is of a past that did not happen. Otherwise nothing changes.
 */
export async function overtakeVersion(db: D1Database, held: number): Promise<void> {
  await db.batch([
    db.prepare('UPDATE clusters SET access_version = ?1 + 1 WHERE (SELECT value FROM access_counter) < ?1').bind(held),
    db.prepare('UPDATE access_counter SET value = ?1 + 1 WHERE value < ?1').bind(held),
  ]);
}
