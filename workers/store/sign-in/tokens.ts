import * as z from 'zod';
import { TokenType } from '#schema/api/account/tokens.ts';
import { touch, type Commit } from '../rights/access.ts';
import { changes, first, Flag } from '../rows.ts';

const Row = z
  .object({
    id: z.string(),
    user_id: z.string(),
    kind: TokenType,
    description: z.string(),
    cluster_id: z.string().nullable(),
    read_only: Flag,
    created_at: z.int(),
    expires_at: z.int(),
    idle_seconds: z.int().nullable(),
    last_used_at: z.int().nullable(),
    last_used_from: z.string().nullable(),
  })
  .transform((row) => ({
    id: row.id,
    userId: row.user_id,
    kind: row.kind,
    description: row.description,
    cluster: row.cluster_id,
    readOnly: row.read_only,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    idleSeconds: row.idle_seconds,
    lastUsedAt: row.last_used_at,
    lastUsedFrom: row.last_used_from,
  }));

/** What is kept of a token: all but the token. Moments: epoch seconds. `idleSeconds`: of a browser's session, how long it may rest; its token is issued anew up to `expiresAt`. */
export type TokenRow = z.output<typeof Row>;

const NEW_COLUMNS = 'id, user_id, kind, description, cluster_id, read_only, created_at, expires_at, idle_seconds';
const COLUMNS = `${NEW_COLUMNS}, last_used_at, last_used_from`;

/** Uses of a token nearer to each other than this are one: a token that works all day costs a write in as many seconds at most. */
export const USE_RECORDED_SECONDS = 300;

/** A token that was never used yet. */
export type FreshToken = Omit<TokenRow, 'lastUsedAt' | 'lastUsedFrom'>;

/** Tokens of one person that have not expired, revoked ones among them: bounds what they can add to every snapshot. */
export const MAX_TOKENS_PER_USER = 1000;

const AccessVersion = z.object({ access_version: z.int() });

/**
 * Keeps what a new token is, and drops the person's expired ones. Returns the access version that the token is to carry; null: the person has
 * {@link MAX_TOKENS_PER_USER} already.
 */
export async function addToken(db: D1Database, token: FreshToken): Promise<number | null> {
  const [, inserted] = await db.batch([
    db.prepare('DELETE FROM tokens WHERE user_id = ?1 AND expires_at <= ?2').bind(token.userId, token.createdAt),
    db
      .prepare(
        `INSERT INTO tokens (${NEW_COLUMNS}, access_version)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, value FROM access_counter
         WHERE (SELECT count(*) FROM tokens WHERE user_id = ?2) < ${MAX_TOKENS_PER_USER}
         RETURNING access_version`,
      )
      .bind(
        token.id,
        token.userId,
        token.kind,
        token.description,
        token.cluster,
        Number(token.readOnly),
        token.createdAt,
        token.expiresAt,
        token.idleSeconds,
      ),
  ]);
  return z.array(AccessVersion).parse(inserted?.results)[0]?.access_version ?? null;
}

/** Also one that is good no more. */
export async function findToken(db: D1Database, id: string): Promise<TokenRow | null> {
  return await first(db.prepare(`SELECT ${COLUMNS} FROM tokens WHERE id = ?1`).bind(id), Row);
}

/** Takes a token back: every cluster that it was good for hears. False: it was not there, or was taken back before. */
export async function revokeToken(db: D1Database, commit: Commit, token: TokenRow, now: number): Promise<boolean> {
  const [revoked] = await commit([
    db.prepare('UPDATE tokens SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL').bind(token.id, now),
    ...touch(db, token.cluster === null ? { user: token.userId } : { cluster: token.cluster }),
  ]);
  return changes(revoked) === 1;
}

/** Notes that a token was used. @param from the address, as throttles count it; null: not known */
export async function recordUse(
  db: D1Database,
  { id, from, now }: { id: string; from: string | null; now: number },
): Promise<void> {
  await db
    .prepare(
      `UPDATE tokens SET last_used_at = ?2, last_used_from = ?3
       WHERE id = ?1 AND (last_used_at IS NULL OR last_used_at <= ?2 - ${USE_RECORDED_SECONDS})`,
    )
    .bind(id, now, from)
    .run();
}
