import {
  clusterListing,
  type createCluster,
  type deleteCluster,
  type getCluster,
  type getClusterMetrics,
  type getClusterTunnels,
  type listClusters,
  type renameCluster,
} from '#schema/api/clusters/clusters.ts';
import { OutriderError, unknownCluster } from '#schema/errors.ts';
import { nextPage, readList } from '#schema/resources/list.ts';
import {
  addCluster,
  findCluster,
  listClusters as storedClusters,
  removeCluster,
  renameCluster as storeName,
  type Cluster,
} from '../../store/clusters.ts';
import { exposition, NO_METRICS } from '../../cluster/metrics/exposition.ts';
import type { Deps, Handler } from '../handler.ts';
import { renderCluster } from '../render.ts';

/** @throws OutriderError unknown_cluster: it was removed since the caller was permitted */
async function found({ db }: Deps, id: string): Promise<Cluster> {
  const cluster = await findCluster(db, id);
  if (cluster === null) throw unknownCluster();
  return cluster;
}

const nameTaken = (name: string): OutriderError =>
  new OutriderError('conflict', `there is a cluster named ${name} already`);

export const handleCreateCluster: Handler<typeof createCluster> = async ({ body }, deps, { principal }) => {
  const id = await deps.newClusterId();
  const added = await addCluster(deps.db, { id, name: body.name, createdAt: deps.now, createdBy: principal.user });
  if (!added) throw nameTaken(body.name);
  return renderCluster(await found(deps, id));
};

export const handleListClusters: Handler<typeof listClusters> = async ({ query }, { db }, { principal, facts }) => {
  const request = readList(clusterListing, query);
  const { items, next } = await storedClusters(db, facts.administrator ? null : principal.user, request);
  return { items: items.map(renderCluster), continue: nextPage(request, next) };
};

export const handleGetCluster: Handler<typeof getCluster> = async ({ params }, deps) =>
  renderCluster(await found(deps, params.cluster));

export const handleGetClusterTunnels: Handler<typeof getClusterTunnels> = async ({ params }, deps) => {
  // An object is made by its agent's first dial, near the cluster, and never by a person's question.
  const { connectedAt } = await found(deps, params.cluster);
  if (connectedAt === null) return { items: [], streams: 0 };
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

export const handleGetClusterMetrics: Handler<typeof getClusterMetrics> = async ({ params }, deps) => {
  // As above: a scrape makes no object.
  const { connectedAt } = await found(deps, params.cluster);
  return exposition(params.cluster, connectedAt === null ? NO_METRICS : await deps.clusterMetrics(params.cluster));
};

export const handleRenameCluster: Handler<typeof renameCluster> = async ({ params, body }, deps) => {
  if (!(await storeName(deps.db, deps.commit, params.cluster, body.name))) throw nameTaken(body.name);
  return renderCluster(await found(deps, params.cluster));
};

export const handleDeleteCluster: Handler<typeof deleteCluster> = async ({ params }, { db, commit, now }) => {
  if (!(await removeCluster(db, commit, params.cluster, now))) {
    throw unknownCluster();
  }
  return undefined;
};
