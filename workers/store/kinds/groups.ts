import * as z from 'zod';
import type { GroupKind } from '#schema/resources/kinds/groups.ts';
import type { ListRequest } from '#schema/resources/list.ts';
import { touch } from '../rights/access.ts';
import { revokeLostRegistrationTokens } from '../registration-tokens.ts';
import { listPage, type ListSource, type Page } from './list.ts';
import {
  metadataOf,
  RESOURCE_COLUMNS,
  ResourceRow,
  unchanged,
  type Change,
  type Outcome,
  type Stored,
  type Writing,
} from './stored.ts';
import { changes, first, isDuplicate } from '../rows.ts';

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
    if (isDuplicate(error, 'local_groups.name')) return false;
    throw error;
  }
}

/** Changes a group. No cluster needs to hear: what is given to it is given to its id. */
export async function updateGroup({ db }: Writing, change: Change<Spec>): Promise<Outcome> {
  const { before, name, spec, finalizers, generation } = change;
  try {
    const updated = await db
      .prepare(
        `UPDATE local_groups SET name = ?2, description = ?3, finalizers = ?4, generation = ?5,
           resource_version = resource_version + 1
         WHERE id = ?1 AND resource_version = ?6`,
      )
      .bind(before.id, name, spec.description, JSON.stringify(finalizers), generation, before.resourceVersion)
      .run();
    return changes(updated) > 0 ? 'done' : 'stale';
  } catch (error) {
    if (isDuplicate(error, 'local_groups.name')) return 'taken';
    throw error;
  }
}

/** Runs one statement that begins or completes the end of a group that is as it was seen; its members leave it in the same moment, and what was given to it is not any more. */
async function end({ db, commit, now }: Writing, before: Stored, statement: D1PreparedStatement): Promise<Outcome> {
  const group = principalOf(before.id);
  const touched = touch(db, { group });
  const results = await commit([
    ...touched,
    ...['user_groups', 'cluster_groups', 'global_role_bindings'].map((table) =>
      db
        .prepare(
          `DELETE FROM ${table} WHERE group_principal = ?1
           AND EXISTS (SELECT 1 FROM local_groups WHERE id = ?2 AND resource_version = ?3)`,
        )
        .bind(group, before.id, before.resourceVersion),
    ),
    revokeLostRegistrationTokens(db, { anybody: true }, now),
    statement,
    db.prepare('SELECT resource_version FROM local_groups WHERE id = ?1').bind(before.id),
  ]);
  return changes(results.at(-2)) > 0 ? 'done' : unchanged(before, results.at(-1));
}

/** Begins the deletion of a group: it has no members and no roles any more, and nobody can be added. */
export async function retireGroup(writing: Writing, before: Stored): Promise<Outcome> {
  const statement = writing.db
    .prepare(
      `UPDATE local_groups SET deleted_at = ?2, generation = generation + 1, resource_version = resource_version + 1
       WHERE id = ?1 AND resource_version = ?3`,
    )
    .bind(before.id, writing.now, before.resourceVersion);
  return await end(writing, before, statement);
}

/** Removes a group, with its memberships and its roles. */
export async function removeGroup(writing: Writing, before: Stored): Promise<Outcome> {
  const statement = writing.db
    .prepare('DELETE FROM local_groups WHERE id = ?1 AND resource_version = ?2')
    .bind(before.id, before.resourceVersion);
  return await end(writing, before, statement);
}
