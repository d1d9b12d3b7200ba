import { CLUSTER_MEMBER_GROUP, CLUSTER_OWNER_GROUP, type AccessSnapshot, type Person } from '#schema/access.ts';
import { readSnapshotRows, type SnapshotRows } from '../store/snapshot.ts';

type PersonRow = SnapshotRows['people'][number];

/** A cluster's access snapshot from the rows that it is made of. Administrators are owners everywhere. */
export function snapshotOf({ version, cluster, people, revoked }: SnapshotRows): AccessSnapshot {
  return {
    version,
    cluster: { id: cluster.id, name: cluster.name, agentGeneration: cluster.agent_generation },
    people: Object.fromEntries(people.map((row): [string, Person] => [row.id, personOf(row)])),
    revokedTokens: Object.fromEntries(revoked.map((token): [string, number] => [token.id, token.expires_at])),
  };
}

function personOf(row: PersonRow): Person {
  const owner = row.administrator || row.role === 'owner';
  return {
    username: row.username,
    enabled: row.enabled,
    groups: owner ? [CLUSTER_OWNER_GROUP, CLUSTER_MEMBER_GROUP] : [CLUSTER_MEMBER_GROUP],
    notBefore: row.not_before,
  };
}

/** The snapshot of a cluster as of now. Null: there is no such cluster. Throws where the database cannot be read. */
export async function buildSnapshot(
  db: D1Database,
  clusterId: string,
  now = Math.floor(Date.now() / 1000),
): Promise<AccessSnapshot | null> {
  const rows = await readSnapshotRows(db, clusterId, now);
  return rows === null ? null : snapshotOf(rows);
}
