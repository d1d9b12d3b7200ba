import { z } from 'zod';
import { Role } from '#schema/access.ts';
import { TokenKind } from '#schema/api/tokens.ts';
import { first, Flag } from './rows.ts';

const Row = z.object({
  username: z.string(),
  administrator: Flag,
  enabled: Flag,
  password_pending: Flag,
  not_before: z.int(),
  kind: TokenKind.nullable(),
  revoked: Flag,
  cluster_exists: Flag,
  role: Role.nullable(),
});

/** What the database says about the bearer of a token and, where one is asked about, their role in a cluster. */
export interface CallerFacts {
  readonly username: string;
  readonly administrator: boolean;
  readonly enabled: boolean;
  readonly passwordPending: boolean;
  readonly notBefore: number;
  /** Null: the token is on no list, since the operator's own supervisor signed it. */
  readonly tokenKind: TokenKind | null;
  readonly tokenRevoked: boolean;
  readonly clusterExists: boolean;
  readonly role: Role | null;
}

/** One read for each management request. Null: there is no such person. */
export async function findCaller(
  db: D1Database,
  { user, token, cluster }: { user: string; token: string; cluster: string | null },
): Promise<CallerFacts | null> {
  const row = await first(
    db
      .prepare(
        `SELECT users.username, users.administrator, users.enabled, users.password_pending, users.not_before,
           tokens.kind, tokens.revoked_at IS NOT NULL AS revoked,
           EXISTS (SELECT 1 FROM clusters WHERE id = ?3) AS cluster_exists,
           (SELECT role FROM cluster_roles WHERE cluster_id = ?3 AND user_id = ?1) AS role
         FROM users LEFT JOIN tokens ON tokens.id = ?2 AND tokens.user_id = users.id
         WHERE users.id = ?1`,
      )
      .bind(user, token, cluster),
    Row,
  );
  if (row === null) return null;
  return {
    username: row.username,
    administrator: row.administrator,
    enabled: row.enabled,
    passwordPending: row.password_pending,
    notBefore: row.not_before,
    tokenKind: row.kind,
    tokenRevoked: row.revoked,
    clusterExists: row.cluster_exists,
    role: row.role,
  };
}
