import * as z from 'zod';
import { ClusterId } from '../../ids.ts';
import { endpoint, Moment, PROMETHEUS_TEXT } from '../endpoint.ts';

/** A tunnel, as the cluster's object sees it. */
const Tunnel = z.object({
  instance: z.string(),
  role: z.enum(['cluster', 'node']),
  state: z.enum(['active', 'standby', 'draining']),
  since: Moment,
  agentVersion: z.string(),
  kubernetesVersion: z.string(),
});

export const clusterParams = z.object({ cluster: ClusterId });

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
