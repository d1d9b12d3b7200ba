import {
  type AccessSnapshot,
  CLUSTER_MEMBER_GROUP,
  CLUSTER_OWNER_GROUP,
  CLUSTER_READ_ONLY_GROUP,
  type Person,
  type Role,
} from '#schema/access.ts';
import { readSnapshotRows, type SnapshotRows } from '../store/rights/snapshot.ts';

type PersonRow = SnapshotRows['people'][number];

/**
 * The group by which the import manifest's bindings know somebody with a role. One, because an API server authorizes each identity field of a request by itself, against all of its
 * bindings (decision 0010).
 */
const GROUPS_OF: Record<Role, readonly string[]> = {
  owner: [CLUSTER_OWNER_GROUP],
  member: [CLUSTER_MEMBER_GROUP],
  'read-only': [CLUSTER_READ_ONLY_GROUP],
};

/** A cluster's access snapshot from the rows that it is made of. Administrators are owners everywhere. */
export function snapshotOf({ version, cluster, people, groups, revoked }: SnapshotRows): AccessSnapshot {
  const byUser = Map.groupBy(groups, ({ user_id }) => user_id);
  const groupsOf = (id: string): string[] => (byUser.get(id) ?? []).map((row) => row.group_principal);
  return {
    version,
    cluster: { id: cluster.id, name: cluster.name, agentGeneration: cluster.agent_generation },
    people: Object.fromEntries(people.map((row): [string, Person] => [row.id, personOf(row, groupsOf(row.id))])),
    revokedTokens: Object.fromEntries(revoked.map((token): [string, number] => [token.id, token.expires_at])),
  };
}

/** @param own the groups by which they have a role here: the cluster's bindings may name those too, and need hear of no others. */
function personOf(row: PersonRow, own: readonly string[]): Person {
  const role = row.administrator ? 'owner' : row.role;
  return {
    username: row.username,
    enabled: row.enabled,
    groups: [...(role === null ? [] : GROUPS_OF[role]), ...own],
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
