import type { z } from 'zod';
import type { Cluster as ClusterResource } from '#schema/api/clusters/clusters.ts';
import { moment } from '#schema/api/endpoint.ts';
import type { Token as TokenResource } from '#schema/api/account/tokens.ts';
import type { User as UserResource } from '#schema/api/people/users.ts';
import type { Cluster } from '../store/clusters.ts';
import type { TokenRow } from '../store/sign-in/tokens.ts';
import type { User } from '../store/users.ts';

const momentOrNull = (epochSeconds: number | null): string | null =>
  epochSeconds === null ? null : moment(epochSeconds);

export function renderUser(user: User): z.input<typeof UserResource> {
  const { id, username, administrator, enabled, passwordPending, createdAt } = user;
  return { id, username, administrator, enabled, passwordPending, createdAt: moment(createdAt) };
}

export function renderCluster(cluster: Cluster): z.input<typeof ClusterResource> {
  return {
    id: cluster.id,
    metadata: { name: cluster.name, createdAt: moment(cluster.createdAt), createdBy: cluster.createdBy },
    status: {
      connectedAt: momentOrNull(cluster.connectedAt),
      lastConnectedAt: momentOrNull(cluster.lastConnectedAt),
      kubernetesVersion: cluster.kubernetesVersion,
      agentVersion: cluster.agentVersion,
      kubeSystemUid: cluster.kubeSystemUid,
    },
  };
}

export function renderToken(token: TokenRow): z.input<typeof TokenResource> {
  const { id, kind, description, cluster, readOnly, createdAt, expiresAt, lastUsedAt, lastUsedFrom } = token;
  return {
    id,
    kind,
    description,
    cluster,
    readOnly,
    createdAt: moment(createdAt),
    expiresAt: moment(expiresAt),
    lastUsedAt: momentOrNull(lastUsedAt),
    lastUsedFrom,
  };
}
