import * as z from 'zod';
import { Role } from '#schema/access.ts';
import { Flag } from '../rows.ts';

const Counter = z.object({ value: z.int() });
const ClusterRow = z.object({ id: z.string(), name: z.string(), agent_generation: z.int() });
const PersonRow = z.object({
  id: z.string(),
  username: z.string(),
  administrator: Flag,
  enabled: Flag,
  not_before: z.int(),
  role: Role.nullable(),
});
const GroupRow = z.object({ user_id: z.string(), group_principal: z.string() });
const RevokedRow = z.object({ id: z.string(), expires_at: z.int() });

/** All that a cluster's access snapshot is made of, read at one moment. */
export interface SnapshotRows {
  readonly version: number;
  readonly cluster: z.output<typeof ClusterRow>;
  readonly people: z.output<typeof PersonRow>[];
  /** Of the people, the groups that have a role in this cluster. */
  readonly groups: z.output<typeof GroupRow>[];
  readonly revoked: z.output<typeof RevokedRow>[];
}

/** Reads what a snapshot needs in one transaction, so that its version says exactly what is in it. Null: there is no such cluster, or it is being removed. */
export async function readSnapshotRows(db: D1Database, clusterId: string, now: number): Promise<SnapshotRows | null> {
  const people = `FROM users LEFT JOIN cluster_roles AS m ON m.user_id = users.id AND m.cluster_id = ?1
    LEFT JOIN administrators AS a ON a.user_id = users.id
    WHERE a.user_id IS NOT NULL OR m.user_id IS NOT NULL`;
  const [counter, cluster, persons, groups, revoked] = await db.batch([
    db.prepare('SELECT value FROM access_counter'),
    db.prepare('SELECT id, name, agent_generation FROM clusters WHERE id = ?1 AND deleted_at IS NULL').bind(clusterId),
    db
      .prepare(
        `SELECT users.id, users.username, a.user_id IS NOT NULL AS administrator, users.enabled,
           users.not_before, m.role ${people}`,
      )
      .bind(clusterId),
    db
      .prepare(
        `SELECT u.user_id, u.group_principal
         FROM cluster_groups AS g JOIN standing_groups AS u ON u.group_principal = g.group_principal
         WHERE g.cluster_id = ?1 ORDER BY u.user_id, u.group_principal`,
      )
      .bind(clusterId),
    db
      .prepare(
        `SELECT id, expires_at FROM tokens
         WHERE revoked_at IS NOT NULL AND expires_at > ?2 AND (cluster_id IS NULL OR cluster_id = ?1)
           AND user_id IN (SELECT users.id ${people})`,
      )
      .bind(clusterId, now),
  ]);
  const [row] = z.array(ClusterRow).parse(cluster?.results);
  if (row === undefined) return null;
  return {
    version: z.tuple([Counter]).parse(counter?.results)[0].value,
    cluster: row,
    people: z.array(PersonRow).parse(persons?.results),
    groups: z.array(GroupRow).parse(groups?.results),
    revoked: z.array(RevokedRow).parse(revoked?.results),
  };
}
