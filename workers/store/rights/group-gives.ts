import * as z from 'zod';
import { ADMINISTRATOR_ROLE, builtInRole, type Permission } from '#schema/roles.ts';
import { Permissions } from '../kinds/global-roles.ts';
import { Flag } from '../rows.ts';

const GivesRow = z.object({ role: z.string(), permissions: Permissions.nullable() });
const ClustersRow = z.object({ clusters: Flag });

/** What whoever is in a group has by it: permissions, being an administrator, a role in some cluster. */
export async function groupGives(
  db: D1Database,
  group: string,
): Promise<{ permissions: Permission[]; administrator: boolean; clusters: boolean }> {
  const [bindings, clusters] = await db.batch([
    db
      .prepare(
        `SELECT b.role, made.permissions FROM global_role_bindings AS b LEFT JOIN global_roles AS made ON made.id = b.role
         WHERE b.group_principal = ?1`,
      )
      .bind(group),
    db.prepare('SELECT EXISTS (SELECT 1 FROM cluster_groups WHERE group_principal = ?1) AS clusters').bind(group),
  ]);
  const rows = z.array(GivesRow).parse(bindings?.results);
  return {
    permissions: rows.flatMap(({ role, permissions }) => permissions ?? [...(builtInRole(role)?.permissions ?? [])]),
    administrator: rows.some(({ role }) => role === ADMINISTRATOR_ROLE),
    clusters: z.tuple([ClustersRow]).parse(clusters?.results)[0].clusters,
  };
}
