import * as z from 'zod';
import { ADMINISTRATOR_ROLE, builtInRole, type Permission } from '#schema/roles.ts';
import { touch, type Commit } from './access.ts';
import { Permissions } from '../kinds/global-roles.ts';
import { revokeLostRegistrationTokens } from '../registration-tokens.ts';
import { all, changes, first, Flag } from '../rows.ts';

const BindingRow = z
  .object({
    id: z.string(),
    role: z.string(),
    user_id: z.string().nullable(),
    group_principal: z.string().nullable(),
    created_at: z.int(),
  })
  .transform((row) => ({
    id: row.id,
    role: row.role,
    user: row.user_id,
    group: row.group_principal,
    createdAt: row.created_at,
  }));

/** A person's or a group's global role; one of `user` and `group` is null. */
export type GlobalRoleBinding = z.output<typeof BindingRow>;

export async function listGlobalRoleBindings(db: D1Database): Promise<GlobalRoleBinding[]> {
  return await all(
    db.prepare(
      'SELECT id, role, user_id, group_principal, created_at FROM global_role_bindings ORDER BY created_at, id',
    ),
    BindingRow,
  );
}

export async function findGlobalRoleBinding(db: D1Database, id: string): Promise<GlobalRoleBinding | null> {
  return await first(
    db
      .prepare('SELECT id, role, user_id, group_principal, created_at FROM global_role_bindings WHERE id = ?1')
      .bind(id),
    BindingRow,
  );
}

/** What has to hear: only administrators are known to clusters. */
function touched(db: D1Database, { role, user }: GlobalRoleBinding): D1PreparedStatement[] {
  if (role !== ADMINISTRATOR_ROLE) return [];
  return touch(db, user === null ? 'every cluster' : { user });
}

/** Gives a role. False: they have it already, or the person or the role is gone. */
export async function addGlobalRoleBinding(
  db: D1Database,
  commit: Commit,
  binding: GlobalRoleBinding,
): Promise<boolean> {
  const [inserted] = await commit([
    db
      .prepare(
        `INSERT INTO global_role_bindings (id, role, user_id, group_principal, created_at)
         SELECT ?1, ?2, ?3, ?4, ?5 WHERE (?3 IS NULL OR EXISTS (SELECT 1 FROM users WHERE id = ?3))
           AND (?6 OR EXISTS (SELECT 1 FROM global_roles WHERE id = ?2 AND deleted_at IS NULL))
         ON CONFLICT DO NOTHING`,
      )
      .bind(
        binding.id,
        binding.role,
        binding.user,
        binding.group,
        binding.createdAt,
        Number(builtInRole(binding.role) !== undefined),
      ),
    ...touched(db, binding),
  ]);
  return changes(inserted) === 1;
}

/** Takes a role back. False: it was taken back before. */
export async function removeGlobalRoleBinding(
  db: D1Database,
  commit: Commit,
  { binding, now }: { binding: GlobalRoleBinding; now: number },
): Promise<boolean> {
  const told = touched(db, binding);
  const results = await commit([
    // First, while whom it names can still be found by it.
    ...told,
    db.prepare('DELETE FROM global_role_bindings WHERE id = ?1').bind(binding.id),
    revokeLostRegistrationTokens(db, binding.user ?? { anybody: true }, now),
  ]);
  return changes(results[told.length]) === 1;
}

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
