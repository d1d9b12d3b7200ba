import * as z from 'zod';
import { Moment } from '../../api/endpoint.ts';
import { plain } from '../../audit/redact.ts';
import { ClusterId } from '../../ids.ts';
import { kind } from '../kind.ts';
import { textFilter } from '../list.ts';

/** A DNS-1123 subdomain of a label's length (Kubernetes "Object Names and IDs"): safe in a shell, a context name, a file name. */
const ClusterName = plain(
  z
    .string()
    .regex(
      /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
      'one to 63 of a-z, 0-9, "-"; beginning and ending with a letter or digit',
    ),
);

const members = { who: 'cluster-member', scope: 'reads' } as const;
const owners = { who: 'cluster-owner', scope: 'anything' } as const;

/**
 * Downstream clusters. Their conditions are `Imported`: an agent of theirs has registered; and `Connected`: one has a tunnel now, which the cluster's object says where
 * one cluster is asked for (in lists it is `Unknown`: nobody is asked).
 */
export const ClusterKind = kind({
  kind: 'Cluster',
  singular: 'cluster',
  plural: 'clusters',
  path: '/v1/clusters',
  id: ClusterId,
  name: ClusterName,
  renamable: true,
  metadata: z.object({ createdBy: z.string().describe('Id of a person, who may be gone') }),
  spec: z.object({}),
  create: z.strictObject({}),
  patch: z.strictObject({}),
  status: z.object({
    connectedAt: Moment.nullable().describe('When its agent connected for the first time; null: never'),
    lastConnectedAt: Moment.nullable(),
    kubernetesVersion: z.string().nullable(),
    agentVersion: z.string().nullable(),
    kubeSystemUid: z.string().nullable().describe('UID of its namespace kube-system'),
  }),
  listing: {
    fields: { name: { filter: textFilter.toLowerCase(), sort: 'text' }, createdAt: { sort: 'number' } },
    order: 'name',
  },
  verbs: {
    list: {
      who: 'person',
      scope: 'reads',
      summary: 'The clusters that the caller has a role in; for administrators all',
    },
    get: { ...members, summary: 'A cluster' },
    create: {
      who: 'clusters.create',
      scope: 'anything',
      summary: 'Add a cluster, to be imported with a registration token; whoever adds it is its owner',
    },
    patch: { ...owners, summary: 'Give a cluster another name' },
    delete: {
      ...owners,
      summary: 'Remove a cluster from the plane; its agents are cut off, what runs in it is left alone',
    },
  },
  missing: 'unknown_cluster',
  actions: {},
  links: {
    tunnels: '/v1/clusters/{id}/tunnels',
    metrics: '/v1/clusters/{id}/metrics',
    kubeconfig: '/v1/clusters/{id}/kubeconfig',
    registrationTokens: '/v1/clusters/{id}/registration-tokens',
    members: '/v1/clusters/{id}/members',
    groups: '/v1/clusters/{id}/groups',
  },
});
