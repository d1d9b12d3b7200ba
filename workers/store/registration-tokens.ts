import * as z from 'zod';
import { touch, type Commit } from './rights/access.ts';
import { changes, first } from './rows.ts';

const Row = z
  .object({
    id: z.string(),
    cluster_id: z.string(),
    cluster_name: z.string(),
    created_at: z.int(),
    expires_at: z.int(),
    revoked_at: z.int().nullable(),
    used_at: z.int().nullable(),
    public_key: z.string().nullable(),
    generation: z.int().nullable(),
    agent_generation: z.int(),
    kube_system_uid: z.string().nullable(),
  })
  .transform((row) => ({
    id: row.id,
    cluster: row.cluster_id,
    clusterName: row.cluster_name,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at,
    usedAt: row.used_at,
    publicKey: row.public_key,
    generation: row.generation,
    agentGeneration: row.agent_generation,
    kubeSystemUid: row.kube_system_uid,
  }));

/** A registration token and the cluster that it is for, which is not being removed. `publicKey`, `generation`: of the registration that used it. */
export type RegistrationToken = z.output<typeof Row>;

const SELECT = `SELECT t.id, t.cluster_id, clusters.name AS cluster_name, t.created_at, t.expires_at, t.revoked_at, t.used_at,
    t.public_key, t.generation, clusters.agent_generation, clusters.kube_system_uid
  FROM registration_tokens AS t JOIN clusters ON clusters.id = t.cluster_id AND clusters.deleted_at IS NULL`;

/**
 * True while whoever made a token may make one for its cluster: they are there, enabled, an owner, and what they were signed in with was not ended since. The
 * parameters are SQL.
 */
const mayMake = ({ by, cluster, at }: { by: string; cluster: string; at: string }): string =>
  `EXISTS (SELECT 1 FROM users
     WHERE users.id = ${by} AND users.enabled = 1 AND users.not_before <= ${at}
       AND (users.id IN (SELECT user_id FROM administrators)
            OR EXISTS (SELECT 1 FROM cluster_roles AS m
                       WHERE m.cluster_id = ${cluster} AND m.user_id = users.id AND m.role = 'owner')))`;

/**
 * Keeps a new token, and drops expired ones. `createdAt` is not before the maker's own token was issued. False: the maker has lost the right to make it since they were
 * permitted, or the cluster is being removed.
 */
export async function addRegistrationToken(
  db: D1Database,
  token: { id: string; clusterId: string; hash: string; createdBy: string; createdAt: number; expiresAt: number },
): Promise<boolean> {
  const [, inserted] = await db.batch([
    db.prepare('DELETE FROM registration_tokens WHERE expires_at <= ?1').bind(token.createdAt),
    db
      .prepare(
        `INSERT INTO registration_tokens (id, cluster_id, hash, created_by, created_at, expires_at)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6 FROM clusters WHERE id = ?2 AND deleted_at IS NULL AND ${mayMake({ by: '?4', cluster: '?2', at: '?5' })}`,
      )
      .bind(token.id, token.clusterId, token.hash, token.createdBy, token.createdAt, token.expiresAt),
  ]);
  return changes(inserted) === 1;
}

/**
 * Takes back the tokens that a person, or anybody (for one cluster or all), could not make any more. Goes into the batch of whatever takes rights from somebody, after it. Who has registered by one of
 * them stays, since that agent is the cluster's and not theirs.
 */
export function revokeLostRegistrationTokens(
  db: D1Database,
  whose: string | { readonly cluster: string } | { readonly anybody: true },
  now: number,
): D1PreparedStatement {
  const [which, value] =
    typeof whose === 'string'
      ? (['created_by = ?1', whose] as const)
      : 'cluster' in whose
        ? (['cluster_id = ?1', whose.cluster] as const)
        : (['?1 IS NULL', null] as const);
  return db
    .prepare(
      `UPDATE registration_tokens SET revoked_at = ?2
       WHERE ${which} AND claim IS NULL AND revoked_at IS NULL
         AND NOT ${mayMake({ by: 'created_by', cluster: 'registration_tokens.cluster_id', at: 'registration_tokens.created_at' })}`,
    )
    .bind(value, now);
}

/** The token of that hash if it is good at `now`. */
export async function findRegistrationToken(
  db: D1Database,
  hash: string,
  now: number,
): Promise<RegistrationToken | null> {
  return await first(
    db.prepare(`${SELECT} WHERE t.hash = ?1 AND t.revoked_at IS NULL AND t.expires_at > ?2`).bind(hash, now),
    Row,
  );
}

/** What an agent tells of itself and its cluster when it registers. */
export interface Registration {
  readonly token: RegistrationToken;
  /** Names this attempt; whoever writes theirs into the token has won it. */
  readonly claim: string;
  readonly publicKey: string;
  readonly kubeSystemUid: string;
  readonly kubernetesVersion: string;
  readonly now: number;
}

/**
 * Binds an unused token to a key, and the cluster to both: one transaction, of which nothing happens when the token was used or taken back meanwhile.
 * Every registration is a new generation. Throws where the kube-system UID belongs to another cluster: see {@link isDuplicate}.
 */
export async function claimRegistrationToken(
  db: D1Database,
  commit: Commit,
  registration: Registration,
): Promise<void> {
  const { token, claim, publicKey, kubeSystemUid, kubernetesVersion, now } = registration;
  await commit([
    db
      .prepare(
        `UPDATE registration_tokens SET public_key = ?2, claim = ?3, used_at = ?4
         WHERE id = ?1 AND claim IS NULL AND revoked_at IS NULL AND expires_at > ?4
           AND EXISTS (SELECT 1 FROM clusters
                       WHERE id = cluster_id AND deleted_at IS NULL AND (kube_system_uid IS NULL OR kube_system_uid = ?5))`,
      )
      .bind(token.id, publicKey, claim, now, kubeSystemUid),
    db
      .prepare(
        `UPDATE clusters SET agent_generation = agent_generation + 1, kube_system_uid = ?3, kubernetes_version = ?4,
           imported_at = coalesce(imported_at, ?5), resource_version = resource_version + 1
         WHERE id = (SELECT cluster_id FROM registration_tokens WHERE id = ?1 AND claim = ?2)`,
      )
      .bind(token.id, claim, kubeSystemUid, kubernetesVersion, now),
    db
      .prepare(
        `UPDATE registration_tokens SET generation = (SELECT agent_generation FROM clusters WHERE id = cluster_id)
         WHERE id = ?1 AND claim = ?2`,
      )
      .bind(token.id, claim),
    ...touch(db, { cluster: token.cluster }),
  ]);
}
