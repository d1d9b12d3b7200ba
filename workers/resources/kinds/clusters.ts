import { moment } from '#schema/api/endpoint.ts';
import { ClusterKind } from '#schema/resources/kinds/clusters.ts';
import type { ClusterStatus, Deps } from '../../api/handler.ts';
import type { Route } from '../../api/route.ts';
import { addCluster } from '../../store/clusters.ts';
import {
  listClusters,
  readCluster,
  removeCluster,
  retireCluster,
  updateCluster,
  type StoredCluster,
} from '../../store/kinds/clusters.ts';
import { mount } from '../mount.ts';

export const clusterRoutes: Route[] = mount(
  ClusterKind,
  {
    list: async (db, request, { caller: { principal, facts } }) =>
      await listClusters(db, facts.administrator ? null : principal.user, request),
    find: readCluster,
    update: updateCluster,
    retire: retireCluster,
    remove: removeCluster,
  },
  {
    async create({ name }, deps, { principal }) {
      const id = await deps.newClusterId();
      return (await addCluster(deps.db, { id, name, createdAt: deps.now, createdBy: principal.user })) ? id : null;
    },
    observe: observed,
    actions: {},
  },
);

/** With what the cluster's object says of its tunnels. It is asked only where there can be any: an object is made by its agent's first dial, and by nothing else. */
async function observed(stored: StoredCluster, deps: Deps): Promise<StoredCluster> {
  const asks = stored.conditions.some(({ type, status }) => type === 'Connected' && status === 'Unknown');
  if (!asks) return stored;
  // An object that cannot be asked is no reason not to show the cluster.
  const status = await deps.clusterStatus(stored.id).catch(() => null);
  return {
    ...stored,
    conditions: stored.conditions.map((condition) =>
      condition.type === 'Connected' ? { ...condition, ...connection(status) } : condition,
    ),
  };
}

function connection(status: ClusterStatus | null) {
  if (status === null) return { reason: 'NotAnswered', message: 'its object could not be asked' };
  const since = status.tunnels.filter(({ state }) => state === 'active').map((tunnel) => tunnel.since);
  if (since.length === 0) return { status: 'False', reason: 'NoTunnel', message: 'no agent has a tunnel now' } as const;
  const lastTransitionTime = moment(Math.min(...since) / 1000);
  return { status: 'True', reason: 'TunnelActive', message: 'an agent has a tunnel', lastTransitionTime } as const;
}
