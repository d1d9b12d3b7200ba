import * as z from 'zod';
import { first } from '../rows.ts';

/** A code that is shown again within this time of its end takes its token back, seconds. */
const KEPT_SECONDS = 24 * 3600;

const Row = z
  .object({
    user_id: z.string(),
    redirect_uri: z.string(),
    code_challenge: z.string(),
    decided_at: z.int(),
  })
  .transform((row) => ({
    userId: row.user_id,
    redirectUri: row.redirect_uri,
    codeChallenge: row.code_challenge,
    decidedAt: row.decided_at,
  }));

/** What an authorization code stands for. Moments: epoch seconds. */
export type CodeGrant = z.output<typeof Row>;

/** Keeps a code by its hash, and drops those of long ago. */
export async function addCodeGrant(
  db: D1Database,
  grant: CodeGrant & { codeHash: string; expiresAt: number; now: number },
): Promise<void> {
  await db.batch([
    db.prepare('DELETE FROM code_grants WHERE expires_at <= ?1').bind(grant.now - KEPT_SECONDS),
    db
      .prepare(
        `INSERT INTO code_grants (code_hash, user_id, redirect_uri, code_challenge, decided_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)`,
      )
      .bind(grant.codeHash, grant.userId, grant.redirectUri, grant.codeChallenge, grant.decidedAt, grant.expiresAt),
  ]);
}

/** Takes a code, which is good once, whatever then becomes of it. Null: unknown, used or expired. */
export async function useCodeGrant(db: D1Database, codeHash: string, now: number): Promise<CodeGrant | null> {
  return await first(
    db
      .prepare(
        `UPDATE code_grants SET used_at = ?2 WHERE code_hash = ?1 AND used_at IS NULL AND expires_at > ?2
         RETURNING user_id, redirect_uri, code_challenge, decided_at`,
      )
      .bind(codeHash, now),
    Row,
  );
}

/** Notes which token a code became. */
export async function setGrantedToken(db: D1Database, codeHash: string, tokenId: string): Promise<void> {
  await db.prepare('UPDATE code_grants SET token_id = ?2 WHERE code_hash = ?1').bind(codeHash, tokenId).run();
}

/** The id of the token that a used code became; null: none. */
export async function grantedToken(db: D1Database, codeHash: string): Promise<string | null> {
  const row = await first(
    db.prepare('SELECT token_id FROM code_grants WHERE code_hash = ?1').bind(codeHash),
    z.object({ token_id: z.string().nullable() }),
  );
  return row?.token_id ?? null;
}
