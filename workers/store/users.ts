import * as z from 'zod';
import { touch, type Commit } from './rights/access.ts';
import { revokeLostRegistrationTokens } from './registration-tokens.ts';
import { changes, first, Flag, isDuplicate } from './rows.ts';

const Row = z
  .object({
    id: z.string(),
    username: z.string(),
    administrator: Flag,
    enabled: Flag,
    password_hash: z.string(),
    password_pending: Flag,
    not_before: z.int(),
    created_at: z.int(),
    previous_password_hash: z.string().nullable(),
    password_expires_at: z.int().nullable(),
  })
  .transform((row) => ({
    id: row.id,
    username: row.username,
    administrator: row.administrator,
    enabled: row.enabled,
    passwordHash: row.password_hash,
    passwordPending: row.password_pending,
    notBefore: row.not_before,
    createdAt: row.created_at,
    previousPasswordHash: row.previous_password_hash,
    passwordExpiresAt: row.password_expires_at,
  }));

/**
 * A person who signs in with a name and a password. Moments: epoch seconds. `passwordHash` never leaves `workers/authn`, nor does `previousPasswordHash`, of the one that they had chosen before (null: none is known).
 * `passwordExpiresAt`: when the password is too old to sign in with unchanged; null: never.
 */
export type User = z.output<typeof Row>;

/** What is known of a person who is being added. */
export interface NewUser {
  readonly id: string;
  readonly username: string;
  readonly administrator: boolean;
  /** False: they are kept out until they are let in. */
  readonly enabled?: boolean;
  readonly passwordHash: string;
  readonly passwordPending: boolean;
  readonly createdAt: number;
}

/** Stands in place of a hash where somebody signs in elsewhere and has no password here. No hash looks like it. */
export const NO_PASSWORD = '!';

/** SQL: when the password of a row of `users` is too old, by the setting as it is now; null: never, or there is none. */
export const PASSWORD_EXPIRES_AT = `CASE WHEN password_hash <> '${NO_PASSWORD}' THEN password_changed_at
  + (SELECT CAST(value AS INTEGER) FROM settings WHERE name = 'maxPasswordAgeSeconds' AND value <> 'null') END`;

const NEW_COLUMNS = 'id, username, administrator, enabled, password_hash, password_pending, not_before, created_at';
const COLUMNS = `${NEW_COLUMNS}, previous_password_hash, ${PASSWORD_EXPIRES_AT} AS password_expires_at`;

export async function findUser(db: D1Database, id: string): Promise<User | null> {
  return await first(db.prepare(`SELECT ${COLUMNS} FROM users WHERE id = ?1`).bind(id), Row);
}

/** By name, whatever its case. */
export async function findUserByName(db: D1Database, username: string): Promise<User | null> {
  return await first(db.prepare(`SELECT ${COLUMNS} FROM users WHERE username = ?1`).bind(username), Row);
}

/** The administrator who came first; null: there is none. */
export async function firstAdministrator(db: D1Database): Promise<User | null> {
  return await first(
    db.prepare(`SELECT ${COLUMNS} FROM users WHERE administrator = 1 ORDER BY created_at, id LIMIT 1`),
    Row,
  );
}

/** Adds a person. `onlyIfFirst`: only while there is no administrator. False: the name is taken, or there is an administrator. */
export async function addUser(
  db: D1Database,
  commit: Commit,
  user: NewUser,
  { onlyIfFirst = false }: { onlyIfFirst?: boolean } = {},
): Promise<boolean> {
  const insert = db
    .prepare(
      `INSERT INTO users (${NEW_COLUMNS}, active_changed_at, password_changed_at) SELECT ?1, ?2, ?3, ?7, ?4, ?5, 0, ?6, ?6, ?6
       ${onlyIfFirst ? 'WHERE NOT EXISTS (SELECT 1 FROM users WHERE administrator = 1)' : ''}`,
    )
    .bind(
      user.id,
      user.username,
      Number(user.administrator),
      user.passwordHash,
      Number(user.passwordPending),
      user.createdAt,
      Number(user.enabled ?? true),
    );
  try {
    const [inserted] = await commit([insert, ...touch(db, { user: user.id })]);
    return changes(inserted) === 1;
  } catch (error) {
    if (isDuplicate(error, 'users.username')) return false;
    throw error;
  }
}

/** SQL of an assignment, in a change of the password: what its person has chosen themselves is remembered as the one before. */
export const REMEMBER_PASSWORD = `previous_password_hash = CASE WHEN password_pending = 0 AND password_hash <> '${NO_PASSWORD}'
  THEN password_hash ELSE previous_password_hash END`;

/** Later than the issue of any token that a person has, and than `now` (`?2`): seconds are coarse, and a mark may be ahead of the clock already. */
export const END_TOKENS = 'not_before = max(not_before, ?2) + 1';

/**
 * Sets a password that its person chose, in place of the one that was just verified; every token issued before `notBefore` dies. False: somebody else has changed it
 * meanwhile, so of two changes made at once one holds.
 */
export async function changePassword(
  db: D1Database,
  commit: Commit,
  { user, passwordHash, notBefore, now }: { user: User; passwordHash: string; notBefore: number; now: number },
): Promise<boolean> {
  const [updated] = await commit([
    db
      .prepare(
        `UPDATE users SET ${REMEMBER_PASSWORD}, password_hash = ?2, password_changed_at = ?5, not_before = ?3,
           active_changed_at = CASE WHEN password_pending = 1 THEN ?5 ELSE active_changed_at END, password_pending = 0,
           resource_version = resource_version + 1
         WHERE id = ?1 AND password_hash = ?4`,
      )
      .bind(user.id, passwordHash, notBefore, user.passwordHash, now),
    revokeLostRegistrationTokens(db, user.id, now),
    ...touch(db, { user: user.id }),
  ]);
  return changes(updated) === 1;
}

/**
 * Gives an administrator a one-time password, lets them in, and ends every token that they have. False: they are no administrator, or there is no such person.
 */
export async function resetAdministrator(
  db: D1Database,
  commit: Commit,
  { id, passwordHash, now }: { id: string; passwordHash: string; now: number },
): Promise<boolean> {
  const [updated] = await commit([
    db
      .prepare(
        `UPDATE users SET ${REMEMBER_PASSWORD}, password_hash = ?3, password_changed_at = ?2, password_pending = 1, enabled = 1,
           ${END_TOKENS},
           active_changed_at = ?2, generation = generation + (enabled = 0), resource_version = resource_version + 1
         WHERE id = ?1 AND administrator = 1 AND deleted_at IS NULL`,
      )
      .bind(id, now, passwordHash),
    revokeLostRegistrationTokens(db, id, now),
    ...touch(db, { user: id }),
  ]);
  return changes(updated) === 1;
}

/** Ends every token that a person has. False: there is no such person. */
export async function endTokens(
  db: D1Database,
  commit: Commit,
  { id, now }: { id: string; now: number },
): Promise<boolean> {
  const [updated] = await commit([
    db.prepare(`UPDATE users SET ${END_TOKENS} WHERE id = ?1`).bind(id, now),
    revokeLostRegistrationTokens(db, id, now),
    ...touch(db, { user: id }),
  ]);
  return changes(updated) === 1;
}
