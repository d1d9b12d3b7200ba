import * as z from 'zod';
import type { ListRequest } from '#schema/resources/list.ts';
import type { GlobalRoleBindingKind } from '#schema/resources/kinds/global-role-bindings.ts';
import { ADMINISTRATOR_ROLE, builtInRole } from '#schema/roles.ts';
import { revokeLostRegistrationTokens } from '../registration-tokens.ts';
import { touch } from '../rights/access.ts';
import { changes, first } from '../rows.ts';
import { listPage, type ListSource, type Page } from './common/list.ts';
import { metadataOf, ResourceRow, type Outcome, type Stored, type Writing } from './common/stored.ts';

type Spec = z.output<(typeof GlobalRoleBindingKind)['spec']>;

/** A person's or a group's global role as the API shows it. */
export type StoredGlobalRoleBinding = Stored<Spec, Record<string, never>>;

const Row = ResourceRow.extend({
  role: z.string(),
  user_id: z.string().nullable(),
  group_principal: z.string().nullable(),
}).transform((row): StoredGlobalRoleBinding => ({
  ...metadataOf(row),
  name: '',
  spec: { role: row.role, user: row.user_id, group: row.group_principal },
  status: {},
  conditions: [],
}));

/** Nothing of a binding ever changes. */
const SOURCE = {
  from: 'global_role_bindings',
  columns: `id, role, user_id, group_principal, created_at, 1 AS generation, 1 AS resource_version, '[]' AS finalizers,
    NULL AS deleted_at`,
  row: Row,
  id: 'id',
  fields: { role: 'role', user: 'user_id', group: 'group_principal', createdAt: 'created_at' } satisfies Record<
    keyof (typeof GlobalRoleBindingKind)['listing']['fields'],
    string
  >,
} satisfies ListSource<typeof Row>;

export async function listGlobalRoleBindings(
  db: D1Database,
  request: ListRequest,
): Promise<Page<StoredGlobalRoleBinding>> {
  return await listPage(db, SOURCE, request);
}

export async function findGlobalRoleBinding(db: D1Database, id: string): Promise<StoredGlobalRoleBinding | null> {
  return await first(db.prepare(`SELECT ${SOURCE.columns} FROM global_role_bindings WHERE id = ?1`).bind(id), Row);
}

/** What has to hear: only administrators are known to clusters. */
function touched(db: D1Database, { role, user }: Spec): D1PreparedStatement[] {
  if (role !== ADMINISTRATOR_ROLE) return [];
  return touch(db, user === null ? 'every cluster' : { user });
}

/** Gives a role. False: they have it already, or the person or the role is gone. */
export async function addGlobalRoleBinding(
  { db, commit, now }: Writing,
  { id, spec }: { id: string; spec: Spec },
): Promise<boolean> {
  const [inserted] = await commit([
    db
      .prepare(
        `INSERT INTO global_role_bindings (id, role, user_id, group_principal, created_at)
         SELECT ?1, ?2, ?3, ?4, ?5 WHERE (?3 IS NULL OR EXISTS (SELECT 1 FROM users WHERE id = ?3))
           AND (?6 OR EXISTS (SELECT 1 FROM global_roles WHERE id = ?2 AND deleted_at IS NULL))
         ON CONFLICT DO NOTHING`,
      )
      .bind(id, spec.role, spec.user, spec.group, now, Number(builtInRole(spec.role) !== undefined)),
    ...touched(db, spec),
  ]);
  return changes(inserted) === 1;
}

/** Takes a role back, and the registration tokens that somebody could make by it alone. */
export async function removeGlobalRoleBinding(
  { db, commit, now }: Writing,
  { id, spec }: StoredGlobalRoleBinding,
): Promise<Outcome> {
  const told = touched(db, spec);
  const results = await commit([
    // First, while whom it names can still be found by it.
    ...told,
    db.prepare('DELETE FROM global_role_bindings WHERE id = ?1').bind(id),
    revokeLostRegistrationTokens(db, spec.user ?? { anybody: true }, now),
  ]);
  return changes(results[told.length]) === 1 ? 'done' : 'stale';
}
