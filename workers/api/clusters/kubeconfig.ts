import type { getKubeconfig } from '#schema/api/account/tokens.ts';
import { unknownCluster } from '#schema/errors.ts';
import { findCluster } from '../../store/clusters.ts';
import { toYaml } from '../../yaml.ts';
import type { Handler } from '../handler.ts';
import { allowedTtl, lifeFor, mint } from '../account/mint.ts';

/** What a kubeconfig says (Kubernetes `client-go/tools/clientcmd/api/v1/types.go`). */
export interface KubeconfigFacts {
  /** Of the cluster, its user and their context. */
  readonly name: string;
  readonly server: string;
  /** PEM; null: the certificate is publicly trusted. */
  readonly ca: string | null;
  readonly token: string;
}

/** A kubeconfig with one context, in YAML. */
export function kubeconfig({ name, server, ca, token }: KubeconfigFacts): string {
  const value = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server, ...(ca === null ? {} : { 'certificate-authority-data': btoa(ca) }) } }],
    users: [{ name, user: { token } }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    'current-context': name,
  };
  return toYaml([{ value }]);
}

export const handleGetKubeconfig: Handler<typeof getKubeconfig> = async ({ params, query }, deps, caller) => {
  const cluster = await findCluster(deps.db, params.cluster);
  if (cluster === null) throw unknownCluster();
  const { token } = await mint(deps, {
    userId: caller.principal.user,
    kind: 'kubeconfig',
    description: `kubeconfig for ${cluster.name}`,
    cluster: cluster.id,
    readOnly: query.readonly,
    idleSeconds: null,
    ...lifeFor(caller, deps.now, await allowedTtl(deps.db, query.ttl)),
  });
  const { publicUrl, publicCa } = deps.config;
  const server = `${publicUrl}/k8s/clusters/${cluster.id}`;
  return kubeconfig({ name: cluster.name, server, ca: publicCa, token });
};
