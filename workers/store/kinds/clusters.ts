import * as z from 'zod';
import { moment } from '#schema/api/endpoint.ts';
import type { ClusterKind } from '#schema/resources/kinds/clusters.ts';
import type { ListRequest } from '#schema/resources/list.ts';
import { touch } from '../rights/access.ts';
import { first } from '../rows.ts';
import { listPage, type ListSource, type Page } from './common/list.ts';
import {
  metadataOf,
  RESOURCE_COLUMNS,
  ResourceRow,
  type Change,
  type Outcome,
  type Stored,
  type Writing,
} from './common/stored.ts';
import { Table } from './common/write.ts';

type Spec = z.output<(typeof ClusterKind)['spec']>;
type Status = z.input<(typeof ClusterKind)['status']>;

/** A cluster as the API shows it. Whether it is connected now, its object knows. */
export type StoredCluster = Stored<Spec, Status>;

const seconds = z.int().nullable();
const momentOrNull = (epochSeconds: number | null): string | null =>
  epochSeconds === null ? null : moment(epochSeconds);

const Row = ResourceRow.extend({
  name: z.string(),
  created_by: z.string(),
  kube_system_uid: z.string().nullable(),
  kubernetes_version: z.string().nullable(),
  agent_version: z.string().nullable(),
  connected_at: seconds,
  last_connected_at: seconds,
  imported_at: seconds,
}).transform((row): StoredCluster => ({
  ...metadataOf(row),
  name: row.name,
  metadata: { createdBy: row.created_by },
  spec: {},
  status: {
    connectedAt: momentOrNull(row.connected_at),
    lastConnectedAt: momentOrNull(row.last_connected_at),
    kubernetesVersion: row.kubernetes_version,
    agentVersion: row.agent_version,
    kubeSystemUid: row.kube_system_uid,
  },
  conditions: [
    {
      type: 'Imported',
      ...(row.imported_at === null
        ? { status: 'False', reason: 'NotRegistered', message: 'no agent of it has registered' }
        : { status: 'True', reason: 'Registered', message: 'an agent of it has registered' }),
      lastTransitionTime: moment(row.imported_at ?? row.created_at),
      observedGeneration: row.generation,
    },
    { type: 'Connected', ...connection(row), observedGeneration: row.generation },
  ],
}));

/** What the database knows of the connection: whether there can be one. */
function connection(row: { deleted_at: number | null; created_at: number; last_connected_at: number | null }) {
  if (row.deleted_at !== null) {
    const message = 'it is being removed, and no agent is let in';
    return { status: 'False', reason: 'Deleting', message, lastTransitionTime: moment(row.deleted_at) } as const;
  }
  if (row.last_connected_at === null) {
    const message = 'no agent has ever connected';
    return { status: 'False', reason: 'NeverConnected', message, lastTransitionTime: moment(row.created_at) } as const;
  }
  return {
    status: 'Unknown',
    reason: 'NotAsked',
    message: 'its object knows, and is asked where one cluster is asked for',
    lastTransitionTime: moment(row.last_connected_at),
  } as const;
}

const SOURCE = {
  from: 'clusters',
  columns: `id, name, created_by, kube_system_uid, kubernetes_version, agent_version, connected_at, last_connected_at,
    imported_at, ${RESOURCE_COLUMNS}`,
  row: Row,
  id: 'id',
  fields: { name: 'name', createdAt: 'created_at' } satisfies Record<
    keyof (typeof ClusterKind)['listing']['fields'],
    string
  >,
} satisfies ListSource<typeof Row>;

const TABLE = new Table('clusters', 'name');

/** A page of all clusters, or only of those where `member` has a role. */
export async function listClusters(
  db: D1Database,
  member: string | null,
  request: ListRequest,
): Promise<Page<StoredCluster>> {
  const where = { condition: 'id IN (SELECT cluster_id FROM cluster_roles WHERE user_id = ?)', values: [member ?? ''] };
  return await listPage(db, member === null ? SOURCE : { ...SOURCE, where }, request);
}

export async function readCluster(db: D1Database, id: string): Promise<StoredCluster | null> {
  return await first(db.prepare(`SELECT ${SOURCE.columns} FROM clusters WHERE id = ?1`).bind(id), Row);
}

/** Changes a cluster. Its object hears: its name is in the snapshot. */
export async function updateCluster(writing: Writing, change: Change<Spec>): Promise<Outcome> {
  const { before, name } = change;
  const statement = TABLE.update(writing.db, change, { name });
  return await TABLE.write(writing, before, statement, { last: touch(writing.db, { cluster: before.id }) });
}

/**
 * Begins the deletion of a cluster: its object is told to forget it, and from now on nobody finds it who lets agents or requests in. Who has a role in it keeps that, to
 * remove the finalizers by.
 */
export async function retireCluster(writing: Writing, before: Stored): Promise<Outcome> {
  return await TABLE.write(writing, before, TABLE.retire(writing, before), {
    last: [
      writing.db
        .prepare(
          `INSERT OR IGNORE INTO forgotten_clusters (id, deleted_at)
           SELECT id, deleted_at FROM clusters WHERE id = ?1 AND deleted_at IS NOT NULL`,
        )
        .bind(before.id),
      ...touch(writing.db, 'none'),
    ],
  });
}

/** Removes a cluster and all that hangs on it, and leaves a note for its object. */
export async function removeCluster(writing: Writing, before: Stored): Promise<Outcome> {
  const { db, now } = writing;
  return await TABLE.write(writing, before, TABLE.remove(db, before), {
    first: [
      db
        .prepare(
          `INSERT OR IGNORE INTO forgotten_clusters (id, deleted_at)
           SELECT id, ?3 FROM clusters WHERE id = ?1 AND resource_version = ?2`,
        )
        .bind(before.id, before.resourceVersion, now),
    ],
    last: touch(db, 'none'),
  });
}
