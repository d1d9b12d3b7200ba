import type { getClusterMetrics, getClusterTunnels } from '#schema/api/clusters/clusters.ts';
import { exposition, NO_METRICS } from '../../cluster/metrics/exposition.ts';
import { findCluster } from '../../store/clusters.ts';
import type { Deps, Handler } from '../handler.ts';

/** An object is made by its agent's first dial, near the cluster, and never by a person's question; and one that was told to forget its cluster is left alone. */
async function hasObject({ db }: Deps, cluster: string): Promise<boolean> {
  const found = await findCluster(db, cluster);
  return found !== null && found.connectedAt !== null;
}

export const handleGetClusterTunnels: Handler<typeof getClusterTunnels> = async ({ params }, deps) => {
  if (!(await hasObject(deps, params.cluster))) return { items: [], streams: 0 };
  const { tunnels, streams } = await deps.clusterStatus(params.cluster);
  return {
    items: tunnels.map(({ instance, role, state, since, agentVersion, kubernetesVersion }) => ({
      instance,
      role,
      state,
      since: new Date(since).toISOString(),
      agentVersion,
      kubernetesVersion,
    })),
    streams,
  };
};

export const handleGetClusterMetrics: Handler<typeof getClusterMetrics> = async ({ params }, deps) =>
  exposition(
    params.cluster,
    (await hasObject(deps, params.cluster)) ? await deps.clusterMetrics(params.cluster) : NO_METRICS,
  );
