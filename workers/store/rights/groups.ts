import * as z from 'zod';
import { Role } from '#schema/access.ts';
import { touch, type Commit } from './access.ts';
import { revokeLostRegistrationTokens } from '../registration-tokens.ts';
import { all, changes } from '../rows.ts';

const Row = z
  .object({ group_principal: z.string(), role: Role })
  .transform(({ group_principal, role }) => ({ group: group_principal, role }));

/** A group's role in a cluster: everybody who is in it has that role there. `group`: a principal. */
export type GroupRole = z.output<typeof Row>;

export async function listGroupRoles(db: D1Database, clusterId: string): Promise<GroupRole[]> {
  return await all(
    db
      .prepare('SELECT group_principal, role FROM cluster_groups WHERE cluster_id = ?1 ORDER BY group_principal')
      .bind(clusterId),
    Row,
  );
}

/** Gives a group a role, instead of the one it had. */
export async function setGroupRole(
  db: D1Database,
  commit: Commit,
  { clusterId, group, role, now }: { clusterId: string; group: string; role: Role; now: number },
): Promise<void> {
  await commit([
    db
      .prepare(
        `INSERT INTO cluster_groups (cluster_id, group_principal, role, created_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (cluster_id, group_principal) DO UPDATE SET role = excluded.role`,
      )
      .bind(clusterId, group, role, now),
    revokeLostRegistrationTokens(db, { cluster: clusterId }, now),
    ...touch(db, { cluster: clusterId }),
  ]);
}

/** Takes a group's role. False: it had none. */
export async function removeGroupRole(
  db: D1Database,
  commit: Commit,
  { clusterId, group, now }: { clusterId: string; group: string; now: number },
): Promise<boolean> {
  const [removed] = await commit([
    db.prepare('DELETE FROM cluster_groups WHERE cluster_id = ?1 AND group_principal = ?2').bind(clusterId, group),
    revokeLostRegistrationTokens(db, { cluster: clusterId }, now),
    ...touch(db, { cluster: clusterId }),
  ]);
  return changes(removed) === 1;
}

/**
 * The statements that make `groups` all that `source` says of a person. Whoever they leave is told by the first touch, whoever they join by the second; they belong into one
 * commit. Principals are given as JSON, since a person may be in more groups than a statement takes parameters. `claim`: only while the person's principal there is claimed by it
 * (`store/providers/principals.ts`), so that a late answer does not undo a newer one; null: while they have a principal at that provider, which is enabled: both may have been taken
 * away since they began to sign in.
 */
export function replaceGroups(
  db: D1Database,
  {
    userId,
    source,
    groups,
    now,
    claim = null,
  }: { userId: string; source: string; groups: readonly string[]; now: number; claim?: number | null },
): D1PreparedStatement[] {
  const stands = `EXISTS (SELECT 1 FROM user_principals JOIN providers ON providers.id = provider
    WHERE user_id = ?1 AND provider = ?2 AND enabled = 1 AND (?4 IS NULL OR refresh_at = ?4))`;
  const given = JSON.stringify(groups);
  return [
    ...touch(db, { user: userId }),
    db
      .prepare(
        `DELETE FROM user_groups WHERE user_id = ?1 AND source = ?2
         AND group_principal NOT IN (SELECT value FROM json_each(?3)) AND ${stands}`,
      )
      .bind(userId, source, given, claim),
    db
      .prepare(
        `INSERT INTO user_groups (user_id, group_principal, source)
         SELECT ?1, value, ?2 FROM json_each(?3) WHERE ${stands} ON CONFLICT DO NOTHING`,
      )
      .bind(userId, source, given, claim),
    revokeLostRegistrationTokens(db, userId, now),
    ...touch(db, { user: userId }),
  ];
}
