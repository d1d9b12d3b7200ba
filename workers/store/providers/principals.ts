import * as z from 'zod';
import { touch, type Commit } from '../rights/access.ts';
import { revokeLostRegistrationTokens } from '../registration-tokens.ts';
import { all, changes, first, Flag, isDuplicate } from '../rows.ts';
import { administratorRemains, admitted, endTokensIfShutOut } from './ways-in.ts';

const Row = z
  .object({
    principal: z.string(),
    user_id: z.string(),
    provider: z.string(),
    login_name: z.string(),
    display_name: z.string(),
    refresh_grant: z.string().nullable(),
    gone: Flag,
    created_at: z.int(),
    confirmed_at: z.int(),
    refresh_at: z.int(),
  })
  .transform((row) => ({
    principal: row.principal,
    userId: row.user_id,
    provider: row.provider,
    loginName: row.login_name,
    displayName: row.display_name,
    grant: row.refresh_grant,
    gone: row.gone,
    createdAt: row.created_at,
    confirmedAt: row.confirmed_at,
    refreshAt: row.refresh_at,
  }));

/** Who a person is at a provider. `grant` is sealed. Moments: epoch seconds. */
export type UserPrincipal = z.output<typeof Row>;

const COLUMNS = `principal, user_id, provider, login_name, display_name, refresh_grant, gone, created_at, confirmed_at, refresh_at`;
const SELECT = `SELECT ${COLUMNS} FROM user_principals`;

/** Later than any moment that comes: there is nothing to ask until the person signs in again. */
export const NEVER = 9_999_999_999;

export async function findPrincipal(db: D1Database, principal: string): Promise<UserPrincipal | null> {
  return await first(db.prepare(`${SELECT} WHERE principal = ?1`).bind(principal), Row);
}

export async function listPrincipals(db: D1Database, userId: string): Promise<UserPrincipal[]> {
  return await all(db.prepare(`${SELECT} WHERE user_id = ?1 ORDER BY principal`).bind(userId), Row);
}

/** A row of {@link UserPrincipal} that is being added; nothing where the person is gone, or is being removed. */
export function insertPrincipal(db: D1Database, row: UserPrincipal): D1PreparedStatement {
  return db
    .prepare(
      `INSERT INTO user_principals (${COLUMNS}) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10
       FROM users WHERE id = ?2 AND deleted_at IS NULL`,
    )
    .bind(
      row.principal,
      row.userId,
      row.provider,
      row.loginName,
      row.displayName,
      row.grant,
      Number(row.gone),
      row.createdAt,
      row.confirmedAt,
      row.refreshAt,
    );
}

/** Joins a principal to a person. `taken`: it is somebody's already, or the person has one at that provider. `gone`: so is the person, or they are being removed. */
export async function joinPrincipal(
  db: D1Database,
  commit: Commit,
  row: UserPrincipal,
): Promise<'joined' | 'taken' | 'gone'> {
  try {
    const [inserted] = await commit([insertPrincipal(db, row), ...touch(db, { user: row.userId })]);
    return changes(inserted) === 1 ? 'joined' : 'gone';
  } catch (error) {
    if (isDuplicate(error, 'user_principals.principal') || isDuplicate(error, 'user_principals.user_id')) {
      return 'taken';
    }
    throw error;
  }
}

/**
 * Takes a principal and the groups that came of it from a person; their tokens end if it was their last way in. False: no administrator could sign in any more.
 */
export async function removePrincipal(
  db: D1Database,
  commit: Commit,
  { principal, userId, provider, now }: Pick<UserPrincipal, 'principal' | 'userId' | 'provider'> & { now: number },
): Promise<boolean> {
  const isLastWay = `NOT ${administratorRemains(`way.principal <> ?1 AND ${admitted('way')}`)}
    AND EXISTS (SELECT 1 FROM users WHERE id = ?2 AND administrator = 1)`;
  const [removed] = await commit([
    db
      .prepare(`DELETE FROM user_principals WHERE principal = ?1 AND user_id = ?2 AND NOT (${isLastWay})`)
      .bind(principal, userId),
    ...touch(db, { user: userId }),
    db
      .prepare(
        `DELETE FROM user_groups WHERE user_id = ?1 AND source = ?2
         AND NOT EXISTS (SELECT 1 FROM user_principals WHERE principal = ?3)`,
      )
      .bind(userId, provider, principal),
    endTokensIfShutOut(db, { userId, now }),
    revokeLostRegistrationTokens(db, userId, now),
    ...touch(db, { user: userId }),
  ]);
  return changes(removed) === 1;
}

const AT_ENABLED = 'EXISTS (SELECT 1 FROM providers WHERE providers.id = user_principals.provider AND enabled = 1)';

/** Up to `limit` principals that are to be asked for at `now`, those that have waited longest first. */
export async function duePrincipals(db: D1Database, now: number, limit: number): Promise<UserPrincipal[]> {
  return await all(
    db.prepare(`${SELECT} WHERE refresh_at <= ?1 AND ${AT_ENABLED} ORDER BY refresh_at LIMIT ?2`).bind(now, limit),
    Row,
  );
}

/** When the next principal is to be asked for; null: none is. */
export async function nextRefresh(db: D1Database): Promise<number | null> {
  const row = await first(
    db.prepare(`SELECT min(refresh_at) AS at FROM user_principals WHERE refresh_at < ?1 AND ${AT_ENABLED}`).bind(NEVER),
    z.object({ at: z.int().nullable() }),
  );
  return row?.at ?? null;
}

/** Takes a principal for asking until `until`. False: somebody else has it, or it was signed in with meanwhile. */
export async function claimRefresh(
  db: D1Database,
  { principal, refreshAt }: Pick<UserPrincipal, 'principal' | 'refreshAt'>,
  until: number,
): Promise<boolean> {
  const { meta } = await db
    .prepare('UPDATE user_principals SET refresh_at = ?3 WHERE principal = ?1 AND refresh_at = ?2')
    .bind(principal, refreshAt, until)
    .run();
  return meta.changes === 1;
}

/** Groups that a provider has named, whose name holds a text, whatever its case. */
export async function searchGroups(
  db: D1Database,
  { provider, query, limit }: { provider: string; query: string; limit: number },
): Promise<{ principal: string; displayName: string }[]> {
  const rows = await all(
    db
      .prepare(
        `SELECT principal, display_name FROM provider_groups
         WHERE provider = ?1 AND instr(lower(display_name), lower(?2)) > 0 ORDER BY display_name LIMIT ?3`,
      )
      .bind(provider, query, limit),
    z.object({ principal: z.string(), display_name: z.string() }),
  );
  return rows.map((row) => ({ principal: row.principal, displayName: row.display_name }));
}

/** People who have signed in at a provider, whose name there holds a text. */
export async function searchPeople(
  db: D1Database,
  { provider, query, limit }: { provider: string; query: string; limit: number },
): Promise<UserPrincipal[]> {
  return await all(
    db
      .prepare(
        `${SELECT} WHERE provider = ?1
         AND (instr(lower(login_name), lower(?2)) > 0 OR instr(lower(display_name), lower(?2)) > 0)
         ORDER BY login_name LIMIT ?3`,
      )
      .bind(provider, query, limit),
    Row,
  );
}
