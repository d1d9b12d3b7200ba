import * as z from 'zod';
import { moment } from '#schema/api/endpoint.ts';
import type { ListRequest } from '#schema/resources/list.ts';
import type { UserKind } from '#schema/resources/kinds/users.ts';
import { touch } from '../rights/access.ts';
import { listPage, type ListSource, type Page } from './common/list.ts';
import { revokeLostRegistrationTokens } from '../registration-tokens.ts';
import { NOT_LAST_ADMINISTRATOR } from '../providers/ways-in.ts';
import {
  metadataOf,
  RESOURCE_COLUMNS,
  ResourceRow,
  type Change,
  type Outcome,
  type Stored,
  type Writing,
} from './common/stored.ts';
import { changes, first, Flag } from '../rows.ts';
import { Table } from './common/write.ts';
import { END_TOKENS, NO_PASSWORD, PASSWORD_EXPIRES_AT, REMEMBER_PASSWORD } from '../users.ts';

type Spec = z.output<(typeof UserKind)['spec']>;
type Status = z.input<(typeof UserKind)['status']>;

/** A person as the API shows them. */
export type StoredUser = Stored<Spec, Status>;

const Row = ResourceRow.extend({
  username: z.string(),
  administrator: Flag,
  enabled: Flag,
  password_pending: Flag,
  has_password: Flag,
  password_changed_at: z.int(),
  password_expires_at: z.int().nullable(),
  now: z.int(),
  active_changed_at: z.int(),
}).transform((row): StoredUser => ({
  ...metadataOf(row),
  name: row.username,
  spec: { administrator: row.administrator, enabled: row.enabled },
  status: {
    passwordPending: row.password_pending,
    passwordChangedAt: row.has_password ? moment(row.password_changed_at) : null,
    passwordExpiresAt: row.password_expires_at === null ? null : moment(row.password_expires_at),
  },
  conditions: [
    {
      type: 'Active',
      ...activity(row),
      observedGeneration: row.generation,
    },
  ],
}));

interface ActivityRow {
  readonly deleted_at: number | null;
  readonly enabled: boolean;
  readonly password_pending: boolean;
  readonly password_expires_at: number | null;
  readonly active_changed_at: number;
  readonly now: number;
}

/** The condition, without what it was observed of. A password grows too old by itself: nobody writes that down. */
function activity(row: ActivityRow) {
  const no = (reason: string, message: string, at = row.active_changed_at) =>
    ({ status: 'False', reason, message, lastTransitionTime: moment(at) }) as const;
  if (row.deleted_at !== null) return no('Deleting', 'is being removed');
  if (!row.enabled) return no('Disabled', 'an administrator keeps them out');
  if (row.password_pending) return no('PasswordPending', 'the one-time password was not changed yet');
  const expired = row.password_expires_at;
  if (expired !== null && expired <= row.now) {
    const message = 'the password is too old, and must be changed at the next sign-in with it';
    return no('PasswordExpired', message, Math.max(expired, row.active_changed_at));
  }
  return {
    status: 'True',
    reason: 'Enabled',
    message: 'can sign in',
    lastTransitionTime: moment(row.active_changed_at),
  } as const;
}

const SOURCE = {
  from: 'users',
  columns: `id, username, administrator, enabled, password_pending, password_changed_at, active_changed_at, ${RESOURCE_COLUMNS},
    password_hash <> '${NO_PASSWORD}' AS has_password, ${PASSWORD_EXPIRES_AT} AS password_expires_at, unixepoch() AS now`,
  row: Row,
  id: 'id',
  fields: {
    name: 'username',
    createdAt: 'created_at',
    passwordChangedAt: 'password_changed_at',
    administrator: 'administrator',
    enabled: 'enabled',
  } satisfies Record<keyof (typeof UserKind)['listing']['fields'], string>,
} satisfies ListSource<typeof Row>;

const TABLE = new Table('users', 'username');

export async function listUsers(db: D1Database, request: ListRequest): Promise<Page<StoredUser>> {
  return await listPage(db, SOURCE, request);
}

export async function readUser(db: D1Database, id: string): Promise<StoredUser | null> {
  return await first(db.prepare(`SELECT ${SOURCE.columns} FROM users WHERE id = ?1`).bind(id), Row);
}

/**
 * Runs one statement that changes or removes a person if they are as they were seen. Clusters that they reached before it and those that they reach after it hear.
 * `refused`: they are the last administrator who can sign in.
 */
async function write(writing: Writing, before: Stored, statement: D1PreparedStatement): Promise<Outcome> {
  const { db, now } = writing;
  return await TABLE.write(writing, before, statement, {
    first: touch(db, { user: before.id }),
    last: [revokeLostRegistrationTokens(db, before.id, now), ...touch(db, { user: before.id })],
  });
}

/** Changes a person. Who is kept out loses every token for good: being let in again brings none back. */
export async function updateUser(writing: Writing, change: Change<Spec>): Promise<Outcome> {
  const { before, spec, finalizers, generation } = change;
  const statement = writing.db
    .prepare(
      `UPDATE users SET administrator = ?3, enabled = ?4, finalizers = ?5, generation = ?6,
         resource_version = resource_version + 1,
         not_before = CASE WHEN enabled = 1 AND ?4 = 0 THEN max(not_before, ?2) + 1 ELSE not_before END,
         active_changed_at = CASE WHEN enabled <> ?4 THEN ?2 ELSE active_changed_at END
       WHERE id = ?1 AND resource_version = ?7 AND ((?3 = 1 AND ?4 = 1) OR ${NOT_LAST_ADMINISTRATOR})`,
    )
    .bind(
      before.id,
      writing.now,
      Number(spec.administrator),
      Number(spec.enabled),
      JSON.stringify(finalizers),
      generation,
      before.resourceVersion,
    );
  return await write(writing, before, statement);
}

/** Begins the deletion of a person: they are kept out while their finalizers are waited for. */
export async function retireUser(writing: Writing, before: Stored): Promise<Outcome> {
  const statement = writing.db
    .prepare(
      `UPDATE users SET deleted_at = ?2, enabled = 0, ${END_TOKENS}, active_changed_at = ?2,
         generation = generation + 1, resource_version = resource_version + 1
       WHERE id = ?1 AND resource_version = ?3 AND ${NOT_LAST_ADMINISTRATOR}`,
    )
    .bind(before.id, writing.now, before.resourceVersion);
  return await write(writing, before, statement);
}

/** Removes a person with their roles, groups and tokens. */
export async function removeUser(writing: Writing, before: Stored): Promise<Outcome> {
  const statement = writing.db
    .prepare(`DELETE FROM users WHERE id = ?1 AND resource_version = ?2 AND ${NOT_LAST_ADMINISTRATOR}`)
    .bind(before.id, before.resourceVersion);
  return await write(writing, before, statement);
}

/** Gives a person a one-time password, and ends every token that they have. `stale`: they are gone, are being removed, or are not of the version `seen`, if one is named. */
export async function resetUserPassword(
  { db, commit, now }: Writing,
  { id, passwordHash, seen }: { id: string; passwordHash: string; seen: number | null },
): Promise<'done' | 'stale'> {
  const [updated] = await commit([
    db
      .prepare(
        `UPDATE users SET ${REMEMBER_PASSWORD}, password_hash = ?3, password_changed_at = ?2, ${END_TOKENS},
           active_changed_at = CASE WHEN password_pending = 0 THEN ?2 ELSE active_changed_at END, password_pending = 1,
           resource_version = resource_version + 1
         WHERE id = ?1 AND deleted_at IS NULL AND resource_version = coalesce(?4, resource_version)`,
      )
      .bind(id, now, passwordHash, seen),
    revokeLostRegistrationTokens(db, id, now),
    ...touch(db, { user: id }),
  ]);
  return changes(updated) > 0 ? 'done' : 'stale';
}
