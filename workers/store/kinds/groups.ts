import * as z from 'zod';
import type { GroupKind } from '#schema/resources/kinds/groups.ts';
import type { ListRequest } from '#schema/resources/list.ts';
import { touch } from '../rights/access.ts';
import { revokeLostRegistrationTokens } from '../registration-tokens.ts';
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
import { first } from '../rows.ts';
import { Table } from './common/write.ts';

type Spec = z.output<(typeof GroupKind)['spec']>;
type Status = z.input<(typeof GroupKind)['status']>;

/** A group as the API shows it. */
export type StoredGroup = Stored<Spec, Status>;

/** What a group that is kept here is called wherever something is given to it. */
export const principalOf = (groupId: string): string => `${PRINCIPAL}${groupId}`;
const PRINCIPAL = 'local_group://';

const Row = ResourceRow.extend({ name: z.string(), description: z.string(), members: z.int() }).transform(
  (row): StoredGroup => ({
    ...metadataOf(row),
    name: row.name,
    spec: { description: row.description },
    status: { principal: principalOf(row.id), members: row.members },
    conditions: [],
  }),
);

const SOURCE = {
  from: 'local_groups',
  columns: `id, name, description, ${RESOURCE_COLUMNS},
    (SELECT count(*) FROM user_groups WHERE group_principal = '${PRINCIPAL}' || local_groups.id) AS members`,
  row: Row,
  id: 'id',
  fields: { name: 'name', createdAt: 'created_at' } satisfies Record<
    keyof (typeof GroupKind)['listing']['fields'],
    string
  >,
} satisfies ListSource<typeof Row>;

const TABLE = new Table('local_groups', 'name');

export async function listGroups(db: D1Database, request: ListRequest): Promise<Page<StoredGroup>> {
  return await listPage(db, SOURCE, request);
}

export async function findGroup(db: D1Database, id: string): Promise<StoredGroup | null> {
  return await first(db.prepare(`SELECT ${SOURCE.columns} FROM local_groups WHERE id = ?1`).bind(id), Row);
}

/** Adds a group of nobody. False: the name is taken. */
export async function addGroup(
  db: D1Database,
  group: { id: string; name: string; description: string; createdAt: number },
): Promise<boolean> {
  try {
    await db
      .prepare('INSERT INTO local_groups (id, name, description, created_at) VALUES (?1, ?2, ?3, ?4)')
      .bind(group.id, group.name, group.description, group.createdAt)
      .run();
    return true;
  } catch (error) {
    if (TABLE.isTaken(error)) return false;
    throw error;
  }
}

/** Changes a group. No cluster needs to hear: what is given to it is given to its id. */
export async function updateGroup(writing: Writing, change: Change<Spec>): Promise<Outcome> {
  const { before, name, spec } = change;
  const columns = { name, description: spec.description };
  return await TABLE.write(writing, before, TABLE.update(writing.db, change, columns));
}

/** Begins the deletion of a group: it has no members and no roles any more, and nobody can be added. */
export async function retireGroup(writing: Writing, before: Stored): Promise<Outcome> {
  return await end(writing, before, TABLE.retire(writing, before));
}

/** Removes a group, with its memberships and its roles. */
export async function removeGroup(writing: Writing, before: Stored): Promise<Outcome> {
  return await end(writing, before, TABLE.remove(writing.db, before));
}

/** Its members leave a group in the moment in which its end begins, and what was given to it is not any more. */
async function end(writing: Writing, before: Stored, statement: D1PreparedStatement): Promise<Outcome> {
  const { db, now } = writing;
  const group = principalOf(before.id);
  return await TABLE.write(writing, before, statement, {
    first: [
      // Before all, while the clusters that anybody has by the group can still be found.
      ...touch(db, { group }),
      ...['user_groups', 'cluster_groups', 'global_role_bindings'].map((table) =>
        TABLE.removeWith(db, before, { table, column: 'group_principal', value: group }),
      ),
      revokeLostRegistrationTokens(db, { anybody: true }, now),
    ],
  });
}
