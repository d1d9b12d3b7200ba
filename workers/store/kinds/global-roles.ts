import * as z from 'zod';
import type { ListRequest } from '#schema/resources/list.ts';
import type { GlobalRoleKind } from '#schema/resources/kinds/global-roles.ts';
import { ADMINISTRATOR_ROLE, BUILT_IN_ROLES, Permission } from '#schema/roles.ts';
import { first, Flag } from '../rows.ts';
import { listPage, type ListSource, type Page } from './common/list.ts';
import {
  metadataOf,
  RESOURCE_COLUMNS,
  ResourceRow,
  type Change,
  type Outcome,
  type Stored,
  type Writing,
} from './common/stored.ts';
import { Table } from './common/write.ts';

type Spec = z.output<(typeof GlobalRoleKind)['spec']>;
type Status = z.input<(typeof GlobalRoleKind)['status']>;

/** A global role as the API shows it. */
export type StoredGlobalRole = Stored<Spec, Status>;

/** A deploy that goes back may find permissions that it does not know: they let nobody do anything. */
export const Permissions = z
  .string()
  .transform((text): unknown => JSON.parse(text))
  .pipe(z.array(z.string()))
  .transform((given) => Permission.options.filter((permission) => given.includes(permission)));

const Row = ResourceRow.extend({
  name: z.string(),
  description: z.string(),
  permissions: Permissions,
  built_in: Flag,
  users: z.int(),
  groups: z.int(),
}).transform((row): StoredGlobalRole => ({
  ...metadataOf(row),
  name: row.name,
  spec: { permissions: row.permissions, description: row.description },
  status: { builtIn: row.built_in, users: row.users, groups: row.groups },
  conditions: [],
}));

const BUILT_IN = JSON.stringify(Object.entries(BUILT_IN_ROLES).map(([id, role]) => ({ id, ...role })));

/** Those that every plane has are in no table, so that a plane knows the ones of its own code. */
const SOURCE = {
  from: `(SELECT id, name, description, permissions, 0 AS built_in, ${RESOURCE_COLUMNS} FROM global_roles
    UNION ALL
    SELECT value ->> 'id', value ->> 'name', '', value ->> 'permissions', 1, 1, 1, 0, '[]', NULL
    FROM json_each('${BUILT_IN.replaceAll("'", "''")}')) AS roles`,
  columns: `id, name, description, permissions, built_in, ${RESOURCE_COLUMNS},
    (SELECT count(*) FROM (
      SELECT user_id FROM global_role_bindings WHERE role = roles.id AND user_id IS NOT NULL
      UNION SELECT id FROM users WHERE administrator = 1 AND roles.id = '${ADMINISTRATOR_ROLE}')) AS users,
    (SELECT count(*) FROM global_role_bindings WHERE role = roles.id AND group_principal IS NOT NULL) AS groups`,
  row: Row,
  id: 'id',
  fields: { name: 'name COLLATE NOCASE', createdAt: 'created_at', builtIn: 'built_in' } satisfies Record<
    keyof (typeof GlobalRoleKind)['listing']['fields'],
    string
  >,
} satisfies ListSource<typeof Row>;

const TABLE = new Table('global_roles', 'name');

export async function listGlobalRoles(db: D1Database, request: ListRequest): Promise<Page<StoredGlobalRole>> {
  return await listPage(db, SOURCE, request);
}

/** A role that was made, or one that every plane has. */
export async function findGlobalRole(db: D1Database, id: string): Promise<StoredGlobalRole | null> {
  return await first(db.prepare(`SELECT ${SOURCE.columns} FROM ${SOURCE.from} WHERE id = ?1`).bind(id), Row);
}

/** Nothing that somebody made is to pass for what every plane has. */
function isReserved(name: string): boolean {
  const folded = name.toLowerCase();
  return Object.values(BUILT_IN_ROLES).some((role) => role.name.toLowerCase() === folded);
}

/** Adds a role. False: the name is taken. */
export async function addGlobalRole(
  { db, commit, now }: Writing,
  { id, name, spec }: { id: string; name: string; spec: Spec },
): Promise<boolean> {
  if (isReserved(name)) return false;
  try {
    await commit([
      db
        .prepare(
          'INSERT INTO global_roles (id, name, description, permissions, created_at) VALUES (?1, ?2, ?3, ?4, ?5)',
        )
        .bind(id, name, spec.description, JSON.stringify(spec.permissions), now),
    ]);
    return true;
  } catch (error) {
    if (TABLE.isTaken(error)) return false;
    throw error;
  }
}

/** Changes a role that was made. No cluster needs to hear: they know administrators alone. */
export async function updateGlobalRole(writing: Writing, change: Change<Spec>): Promise<Outcome> {
  const { before, name, spec } = change;
  if (isReserved(name)) return 'taken';
  const columns = { name, description: spec.description, permissions: JSON.stringify(spec.permissions) };
  return await TABLE.write(writing, before, TABLE.update(writing.db, change, columns));
}

/** Begins the deletion of a role that was made: nobody has it any more, and nobody is given it. */
export async function retireGlobalRole(writing: Writing, before: Stored): Promise<Outcome> {
  return await end(writing, before, TABLE.retire(writing, before));
}

/** Removes a role that was made, with its bindings. */
export async function removeGlobalRole(writing: Writing, before: Stored): Promise<Outcome> {
  return await end(writing, before, TABLE.remove(writing.db, before));
}

async function end(writing: Writing, before: Stored, statement: D1PreparedStatement): Promise<Outcome> {
  const bindings = { table: 'global_role_bindings', column: 'role', value: before.id };
  return await TABLE.write(writing, before, statement, { first: [TABLE.removeWith(writing.db, before, bindings)] });
}
