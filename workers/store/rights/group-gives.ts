import * as z from 'zod';
import { ADMINISTRATOR_ROLE, builtInRole, type Permission } from '#schema/roles.ts';
import { Permissions } from '../kinds/global-roles.ts';
import { all, Flag } from '../rows.ts';

const GivesRow = z.object({ role: z.string(), permissions: Permissions.nullable() });
const ClustersRow = z.object({ clusters: Flag });

const ROLES = `SELECT b.role, made.permissions
  FROM global_role_bindings AS b LEFT JOIN global_roles AS made ON made.id = b.role`;

const given = (rows: readonly z.output<typeof GivesRow>[]): { permissions: Permission[]; administrator: boolean } => ({
  permissions: rows.flatMap(({ role, permissions }) => permissions ?? [...(builtInRole(role)?.permissions ?? [])]),
  administrator: rows.some(({ role }) => role === ADMINISTRATOR_ROLE),
});

/** What a person has by global roles, of their own and of their groups, also those of a provider that is not enabled: their roles come back with it. */
export async function rolesGive(
  db: D1Database,
  user: string,
): Promise<{ permissions: Permission[]; administrator: boolean }> {
  const statement = db.prepare(
    `${ROLES} WHERE b.user_id = ?1 OR b.group_principal IN (SELECT group_principal FROM user_groups WHERE user_id = ?1)`,
  );
  return given(await all(statement.bind(user), GivesRow));
}

/** What whoever is in a group has by it: permissions, being an administrator, a role in some cluster. */
export async function groupGives(
  db: D1Database,
  group: string,
): Promise<{ permissions: Permission[]; administrator: boolean; clusters: boolean }> {
  const [bindings, clusters] = await db.batch([
    db.prepare(`${ROLES} WHERE b.group_principal = ?1`).bind(group),
    db.prepare('SELECT EXISTS (SELECT 1 FROM cluster_groups WHERE group_principal = ?1) AS clusters').bind(group),
  ]);
  return {
    ...given(z.array(GivesRow).parse(bindings?.results)),
    clusters: z.tuple([ClustersRow]).parse(clusters?.results)[0].clusters,
  };
}
