import * as z from 'zod';
import type { Commit } from '../rights/access.ts';
import { replaceGroups } from '../rights/groups.ts';
import { revokeLostRegistrationTokens } from '../registration-tokens.ts';
import { all, changes, first, Flag, isDuplicate } from '../rows.ts';
import { NO_PASSWORD } from '../users.ts';
import { insertPrincipal, type UserPrincipal } from './principals.ts';
import { admitted, endTokensIfShutOut } from './ways-in.ts';

/** A group as it is kept. */
export interface Group {
  readonly principal: string;
  /** Empty: what was known of it stays. */
  readonly displayName: string;
}

/** The groups that a provider last said a person is in. */
export async function groupsFrom(db: D1Database, userId: string, provider: string): Promise<string[]> {
  const rows = await all(
    db
      .prepare('SELECT group_principal FROM user_groups WHERE user_id = ?1 AND source = ?2 ORDER BY group_principal')
      .bind(userId, provider),
    z.object({ group_principal: z.string() }),
  );
  return rows.map((row) => row.group_principal);
}

/** What a provider said of a person. */
export interface Word {
  /** As the row is to be. */
  readonly row: UserPrincipal;
  readonly groups: readonly Group[];
  readonly now: number;
}

/** Names of groups, for those who search them. */
function nameGroups(db: D1Database, { row, groups }: Word): D1PreparedStatement {
  return db
    .prepare(
      `INSERT INTO provider_groups (principal, provider, display_name)
       SELECT value ->> 'principal', ?1, value ->> 'displayName' FROM json_each(?2)
       WHERE value ->> 'displayName' <> ''
       ON CONFLICT (principal) DO UPDATE SET display_name = excluded.display_name
         WHERE display_name <> excluded.display_name`,
    )
    .bind(row.provider, JSON.stringify(groups));
}

/** The statements that put groups in place of those that the provider said before. */
const putGroups = (db: D1Database, { row, groups, now }: Word, claim: number | null): D1PreparedStatement[] =>
  replaceGroups(db, {
    userId: row.userId,
    source: row.provider,
    groups: groups.map(({ principal }) => principal),
    now,
    claim,
  });

/**
 * Keeps what a provider said of a person whom the plane knows. If it takes their last way in, their tokens end. Clusters hear where anything changed. `claim`: only while that
 * claim of the row stands, so that a late answer does not undo a newer one; null: a sign-in, which is the newest there is. `event`: of the audit log, kept if the word is, and if anything
 * of it is new; left out where `db` sees to that. False: it was not kept.
 */
export async function keepWord(
  db: D1Database,
  commit: Commit,
  word: Word,
  { before, claim, event }: { before: UserPrincipal; claim: number | null; event?: D1PreparedStatement | undefined },
): Promise<boolean> {
  const { row, groups, now } = word;
  const update = db
    .prepare(
      `UPDATE user_principals SET login_name = ?2, display_name = ?3, refresh_grant = ?4, gone = ?5, confirmed_at = ?6,
         refresh_at = ?7
       WHERE principal = ?1 AND user_id = ?8 AND (?9 IS NULL OR refresh_at = ?9)`,
    )
    .bind(
      row.principal,
      row.loginName,
      row.displayName,
      row.grant,
      Number(row.gone),
      row.confirmedAt,
      row.refreshAt,
      row.userId,
      claim,
    );
  const held = new Set(await groupsFrom(db, row.userId, row.provider));
  const same = held.size === groups.length && groups.every(({ principal }) => held.has(principal));
  const named = row.loginName === before.loginName && row.displayName === before.displayName;
  if (same && named && row.gone === before.gone) {
    const [updated] = await db.batch([update]);
    return changes(updated) === 1;
  }
  const statements = [
    ...putGroups(db, word, claim),
    nameGroups(db, word),
    update,
    ...(event === undefined ? [] : [event]),
    endTokensIfShutOut(db, { userId: row.userId, now }),
    revokeLostRegistrationTokens(db, row.userId, now),
  ];
  const results = await commit(statements);
  return changes(results[statements.indexOf(update)]) === 1;
}

/** Makes a person of somebody who signs in for the first time. `username`: the name is taken; `principal`: they have been made meanwhile. */
export async function addExternalUser(
  db: D1Database,
  commit: Commit,
  word: Word,
  username: string,
): Promise<'added' | 'username' | 'principal'> {
  const { row, now } = word;
  try {
    await commit([
      db
        .prepare(
          `INSERT INTO users (id, username, administrator, enabled, password_hash, password_pending, not_before, created_at,
             active_changed_at)
           VALUES (?1, ?2, 0, 1, '${NO_PASSWORD}', 0, 0, ?3, ?3)`,
        )
        .bind(row.userId, username, now),
      insertPrincipal(db, row),
      ...putGroups(db, word, null),
      nameGroups(db, word),
    ]);
    return 'added';
  } catch (error) {
    if (isDuplicate(error, 'users.username')) return 'username';
    if (isDuplicate(error, 'user_principals.principal')) return 'principal';
    throw error;
  }
}

const Admission = z.object({
  user_id: z.string(),
  username: z.string(),
  enabled: Flag,
  admitted: Flag,
  not_before: z.int(),
});

/** Whether somebody may come in through a principal, at one moment. */
export interface AdmissionFacts {
  readonly userId: string;
  readonly username: string;
  readonly userEnabled: boolean;
  /** The provider is enabled, and its access lets them in. */
  readonly admitted: boolean;
  /** Tokens issued before are dead: read with the rest, so that whatever takes the admission away afterwards kills what is issued on this word. */
  readonly notBefore: number;
}

/** Null: the principal is nobody's. */
export async function readAdmission(db: D1Database, principal: string): Promise<AdmissionFacts | null> {
  const row = await first(
    db
      .prepare(
        `SELECT users.id AS user_id, users.username, users.enabled, users.not_before, ${admitted('way')} AS admitted
         FROM user_principals AS way JOIN users ON users.id = way.user_id WHERE way.principal = ?1`,
      )
      .bind(principal),
    Admission,
  );
  if (row === null) return null;
  return {
    userId: row.user_id,
    username: row.username,
    userEnabled: row.enabled,
    admitted: row.admitted,
    notBefore: row.not_before,
  };
}
