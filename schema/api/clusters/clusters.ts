import * as z from 'zod';
import { plain } from '../../audit/redact.ts';
import { ClusterId } from '../../ids.ts';
import { listQuery, pageOf, textFilter, type Listing } from '../../resources/list.ts';
import { endpoint, Moment, PROMETHEUS_TEXT } from '../endpoint.ts';

/** A DNS-1123 subdomain of a label's length (Kubernetes "Object Names and IDs"): safe in a shell, a context name, a file name. */
const ClusterName = plain(
  z
    .string()
    .regex(
      /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
      'one to 63 of a-z, 0-9, "-"; beginning and ending with a letter or digit',
    ),
);

export const Cluster = z.object({
  id: ClusterId,
  metadata: z.object({ name: z.string(), createdAt: Moment, createdBy: z.string() }),
  status: z.object({
    connectedAt: Moment.nullable().describe('When its agent connected for the first time; null: never'),
    lastConnectedAt: Moment.nullable(),
    kubernetesVersion: z.string().nullable(),
    agentVersion: z.string().nullable(),
    kubeSystemUid: z.string().nullable().describe('UID of its namespace kube-system'),
  }),
});

/** A tunnel, as the cluster's object sees it. */
const Tunnel = z.object({
  instance: z.string(),
  role: z.enum(['cluster', 'node']),
  state: z.enum(['active', 'standby', 'draining']),
  since: Moment,
  agentVersion: z.string(),
  kubernetesVersion: z.string(),
});

export const clusterListing = {
  fields: { name: { filter: textFilter.toLowerCase(), sort: 'text' }, createdAt: { sort: 'number' } },
  order: 'name',
} as const satisfies Listing;

export const clusterParams = z.object({ cluster: ClusterId });

export const createCluster = endpoint({
  operation: 'createCluster',
  summary: 'Add a cluster, to be imported with a registration token; whoever adds it is its owner',
  method: 'POST',
  path: '/v1/clusters',
  who: 'clusters.create',
  scope: 'anything',
  body: z.strictObject({ name: ClusterName }),
  status: 201,
  result: Cluster,
  errors: ['conflict'],
});

export const listClusters = endpoint({
  operation: 'listClusters',
  summary: 'The clusters that the caller has a role in; for administrators all',
  method: 'GET',
  path: '/v1/clusters',
  who: 'person',
  scope: 'reads',
  query: listQuery(clusterListing),
  status: 200,
  result: pageOf(Cluster),
  errors: [],
});

export const getCluster = endpoint({
  operation: 'getCluster',
  summary: 'A cluster',
  method: 'GET',
  path: '/v1/clusters/{cluster}',
  who: 'cluster-member',
  scope: 'reads',
  params: clusterParams,
  status: 200,
  result: Cluster,
  errors: [],
});

export const getClusterTunnels = endpoint({
  operation: 'getClusterTunnels',
  summary: "The agents that are connected now, and the requests under way; asks the cluster's object",
  method: 'GET',
  path: '/v1/clusters/{cluster}/tunnels',
  who: 'cluster-member',
  scope: 'reads',
  params: clusterParams,
  status: 200,
  result: z.object({ items: z.array(Tunnel), streams: z.int() }),
  errors: [],
});

export const getClusterMetrics = endpoint({
  operation: 'getClusterMetrics',
  summary:
    "What Prometheus scrapes of a cluster: its tunnels, and the requests that went through them; asks the cluster's object",
  method: 'GET',
  path: '/v1/clusters/{cluster}/metrics',
  who: 'cluster-member',
  scope: 'reads',
  params: clusterParams,
  status: 200,
  media: PROMETHEUS_TEXT,
  errors: [],
});

export const renameCluster = endpoint({
  operation: 'renameCluster',
  summary: 'Give a cluster another name',
  method: 'PATCH',
  path: '/v1/clusters/{cluster}',
  who: 'cluster-owner',
  scope: 'anything',
  params: clusterParams,
  body: z.strictObject({ name: ClusterName }),
  status: 200,
  result: Cluster,
  errors: ['conflict'],
});

export const deleteCluster = endpoint({
  operation: 'deleteCluster',
  summary: 'Remove a cluster from the plane; its agents are cut off, what runs in it is left alone',
  method: 'DELETE',
  path: '/v1/clusters/{cluster}',
  who: 'cluster-owner',
  scope: 'anything',
  params: clusterParams,
  status: 204,
  errors: [],
});
