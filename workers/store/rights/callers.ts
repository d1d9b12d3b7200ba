import * as z from 'zod';
import { Role } from '#schema/access.ts';
import { TokenType } from '#schema/api/account/tokens.ts';
import { builtInRole, type Permission, PERMISSIONS } from '#schema/roles.ts';
import { Permissions } from '../kinds/global-roles.ts';
import { first, Flag } from '../rows.ts';

/** Pairs of a role's id and, where it was made, the JSON of its permissions. */
const GlobalRoles = z
  .string()
  .transform((text): unknown => JSON.parse(text))
  .pipe(z.array(z.tuple([z.string(), Permissions.nullable()])))
  .transform((roles) => roles.flatMap(([id, made]) => made ?? builtInRole(id)?.permissions ?? []));

const Row = z.object({
  username: z.string(),
  administrator: Flag,
  enabled: Flag,
  password_pending: Flag,
  not_before: z.int(),
  kind: TokenType.nullable(),
  revoked: Flag,
  token_expires_at: z.int().nullable(),
  idle_seconds: z.int().nullable(),
  cluster_exists: Flag,
  role: Role.nullable(),
  global_roles: GlobalRoles,
});

/** What the database says about the bearer of a token and, where one is asked about, their role in a cluster. */
export interface CallerFacts {
  readonly username: string;
  readonly administrator: boolean;
  readonly enabled: boolean;
  readonly passwordPending: boolean;
  readonly notBefore: number;
  /** Null: the token is on no list, since the operator's own supervisor signed it. */
  readonly tokenKind: TokenType | null;
  readonly tokenRevoked: boolean;
  /** A browser's session: when it ends at the latest, and how long it may rest; null: the token is of another kind, or unlisted. */
  readonly session: { readonly expiresAt: number; readonly idleSeconds: number } | null;
  readonly clusterExists: boolean;
  readonly role: Role | null;
  /** By global roles, all for administrators. */
  readonly permissions: ReadonlySet<Permission>;
}

/** One read for each management request. Null: there is no such person. */
export async function findCaller(
  db: D1Database,
  { user, token, cluster }: { user: string; token: string; cluster: string | null },
): Promise<CallerFacts | null> {
  const row = await first(
    db
      .prepare(
        `SELECT users.username, users.id IN (SELECT user_id FROM administrators) AS administrator, users.enabled, users.password_pending, users.not_before,
           tokens.kind, tokens.revoked_at IS NOT NULL AS revoked,
           tokens.expires_at AS token_expires_at, tokens.idle_seconds,
           EXISTS (SELECT 1 FROM clusters WHERE id = ?3) AS cluster_exists,
           (SELECT json_group_array(json_array(own.role, made.permissions))
            FROM user_global_roles AS own LEFT JOIN global_roles AS made ON made.id = own.role
            WHERE own.user_id = ?1) AS global_roles,
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
    session:
      row.idle_seconds === null || row.token_expires_at === null
        ? null
        : { expiresAt: row.token_expires_at, idleSeconds: row.idle_seconds },
    clusterExists: row.cluster_exists,
    role: row.role,
    permissions: new Set(row.administrator ? PERMISSIONS : row.global_roles),
  };
}
