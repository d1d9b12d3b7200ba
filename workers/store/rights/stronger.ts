import * as z from 'zod';
import { first, Flag } from '../rows.ts';

/** SQL: the strongest of those roles of a cluster that are, or are not, the person's who is asked about; 0: there is none. */
const strongest = (theirs: 0 | 1): string =>
  `max(CASE WHEN theirs <> ${theirs} THEN 0 WHEN role = 'owner' THEN 3 WHEN role = 'member' THEN 2 ELSE 1 END)`;

/**
 * Whether a person has a role in some cluster, by themselves or by a group, that is stronger than what another has there now. Groups of a provider that is not enabled count: their roles come back
 * with it. An administrator's ownership of every cluster does not count.
 */
export async function strongerSomewhere(
  db: D1Database,
  { user, than }: { user: string; than: string },
): Promise<boolean> {
  const row = await first(
    db
      .prepare(
        `SELECT EXISTS (
           SELECT 1 FROM (
             SELECT cluster_id, role, 1 AS theirs FROM cluster_members WHERE user_id = ?1
             UNION ALL
             SELECT cluster_id, role, 1 FROM cluster_groups
             WHERE group_principal IN (SELECT group_principal FROM user_groups WHERE user_id = ?1)
             UNION ALL
             SELECT cluster_id, role, 0 FROM cluster_roles WHERE user_id = ?2
           )
           GROUP BY cluster_id HAVING ${strongest(1)} > ${strongest(0)}) AS stronger`,
      )
      .bind(user, than),
    z.object({ stronger: Flag }),
  );
  return row?.stronger ?? true;
}
