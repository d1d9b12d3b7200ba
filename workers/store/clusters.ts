import * as z from 'zod';
import { first, isDuplicate } from './rows.ts';

const moment = z.int().nullable();

const Row = z
  .object({
    id: z.string(),
    name: z.string(),
    created_at: z.int(),
    created_by: z.string(),
    agent_generation: z.int(),
    kube_system_uid: z.string().nullable(),
    kubernetes_version: z.string().nullable(),
    agent_version: z.string().nullable(),
    connected_at: moment,
    last_connected_at: moment,
  })
  .transform((row) => ({
    id: row.id,
    name: row.name,
    createdAt: row.created_at,
    createdBy: row.created_by,
    agentGeneration: row.agent_generation,
    kubeSystemUid: row.kube_system_uid,
    kubernetesVersion: row.kubernetes_version,
    agentVersion: row.agent_version,
    connectedAt: row.connected_at,
    lastConnectedAt: row.last_connected_at,
  }));

/** A downstream cluster as the plane's database knows it. Moments: epoch seconds; null: not yet. */
export type Cluster = z.output<typeof Row>;

const COLUMNS = `id, name, created_at, created_by, agent_generation, kube_system_uid, kubernetes_version, agent_version,
  connected_at, last_connected_at`;

/** A cluster that is there and is not being removed: one that has agents and answers requests. */
export async function findCluster(db: D1Database, id: string): Promise<Cluster | null> {
  return await first(db.prepare(`SELECT ${COLUMNS} FROM clusters WHERE id = ?1 AND deleted_at IS NULL`).bind(id), Row);
}

/** Also one that is being removed: it is the same Kubernetes cluster until it is gone. */
export async function findClusterByUid(db: D1Database, kubeSystemUid: string): Promise<Cluster | null> {
  return await first(db.prepare(`SELECT ${COLUMNS} FROM clusters WHERE kube_system_uid = ?1`).bind(kubeSystemUid), Row);
}

/** Adds a cluster that nobody has joined yet, with whoever adds it as its owner: its snapshot is pulled at its first connection. False: the name is taken. */
export async function addCluster(
  db: D1Database,
  cluster: { id: string; name: string; createdAt: number; createdBy: string },
): Promise<boolean> {
  try {
    await db.batch([
      db
        .prepare(
          `INSERT INTO clusters (id, name, created_at, created_by, access_version, delivered_version, agent_generation)
           SELECT ?1, ?2, ?3, ?4, value, 0, 0 FROM access_counter`,
        )
        .bind(cluster.id, cluster.name, cluster.createdAt, cluster.createdBy),
      // Administrators are owners anyway, and would stay members when they are administrators no more.
      db
        .prepare(
          `INSERT INTO cluster_members (cluster_id, user_id, role, created_at) SELECT ?1, id, 'owner', ?3 FROM users
           WHERE id = ?2 AND id NOT IN (SELECT user_id FROM administrators)`,
        )
        .bind(cluster.id, cluster.createdBy, cluster.createdAt),
    ]);
    return true;
  } catch (error) {
    if (isDuplicate(error, 'clusters.name')) return false;
    throw error;
  }
}

/** What a settled tunnel tells of its cluster. `at`: epoch ms, as objects count. */
export interface Connection {
  readonly agentVersion: string;
  readonly kubernetesVersion: string;
  readonly at: number;
}

const AccessVersion = z.object({ access_version: z.int() });

/**
 * Notes that a cluster's agent has connected. From now on changes of access are pushed to the cluster's object, so one that pulls its snapshot after this
 * misses none. Returns the version that its snapshot must have at least; null: there is no such cluster any more, or it is being removed.
 */
export async function recordConnection(db: D1Database, id: string, connection: Connection): Promise<number | null> {
  const row = await first(
    db
      .prepare(
        `UPDATE clusters SET connected_at = coalesce(connected_at, ?2), last_connected_at = ?2,
           agent_version = ?3, kubernetes_version = ?4, resource_version = resource_version + 1
         WHERE id = ?1 AND deleted_at IS NULL RETURNING access_version`,
      )
      .bind(id, Math.floor(connection.at / 1000), connection.agentVersion, connection.kubernetesVersion),
    AccessVersion,
  );
  return row?.access_version ?? null;
}
