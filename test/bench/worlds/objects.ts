import { CLUSTER_OWNER_GROUP } from '#schema/access.ts';
import { PlaneApi } from '#test/support/api.ts';
import type { World as TestWorld } from '#test/support/worlds/world.ts';
import { API_OBJECTS } from '../rows/api.ts';

/** The account of the direct path. */
export const DIRECT_ACCOUNT = { namespace: API_OBJECTS.small.namespace, name: 'bench-direct' } as const;

/** With what Kubernetes puts around it, the small object's JSON is 1 KB. */
const SMALL_BYTES = 600;
/** An object of a list: half of what etcd takes would do as well; lists of real clusters have smaller ones. */
const ITEM_BYTES = 100_000;
/** Requests at a time while objects are made. */
const CREATED_AT_ONCE = 8;

const RBAC = 'rbac.authorization.k8s.io';
const FLOW = 'flowcontrol.apiserver.k8s.io';

/**
 * One priority level for all callers. By default the API server gives service accounts (`direct`) five times the seats of other people (everybody else), and would queue eight lists
 * of the latter: the bench would compare its queues (Kubernetes docs: "API Priority and Fairness").
 */
const SAME_PRIORITY = {
  apiVersion: `${FLOW}/v1`,
  kind: 'FlowSchema',
  metadata: { name: 'bench' },
  spec: {
    matchingPrecedence: 500,
    priorityLevelConfiguration: { name: 'workload-low' },
    distinguisherMethod: { type: 'ByUser' },
    rules: [
      {
        subjects: [
          { kind: 'Group', group: { name: CLUSTER_OWNER_GROUP } },
          { kind: 'ServiceAccount', serviceAccount: DIRECT_ACCOUNT },
        ],
        resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'], clusterScope: true, namespaces: ['*'] }],
      },
    ],
  },
};

/** Puts what is read into the cluster. @returns the token of the direct path's account. */
export async function fillCluster({ admin, cluster }: TestWorld, tokenOf: () => Promise<string>): Promise<string> {
  const { lists, small, watched } = API_OBJECTS;
  const namespaces = [small, watched, ...Object.values(lists)].map(({ namespace }) => namespace);
  await admin.apply(
    ...namespaces.map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })),
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: DIRECT_ACCOUNT },
    {
      apiVersion: `${RBAC}/v1`,
      kind: 'ClusterRoleBinding',
      metadata: { name: DIRECT_ACCOUNT.name },
      roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [{ kind: 'ServiceAccount', ...DIRECT_ACCOUNT }],
    },
    SAME_PRIORITY,
  );
  const token = await tokenOf();
  const api = new PlaneApi({ url: cluster.apiServer, caPem: cluster.caPem }, token);
  const create = (namespace: string, name: string, bytes: number): Promise<string> =>
    api.text('POST', `/api/v1/namespaces/${namespace}/configmaps`, {
      metadata: { name },
      data: { text: 'outrider '.repeat(Math.ceil(bytes / 9)).slice(0, bytes) },
    });
  await create(small.namespace, small.name, SMALL_BYTES);
  const wanted = Object.values(lists).flatMap(({ namespace, bytes }) =>
    Array.from({ length: Math.ceil(bytes / ITEM_BYTES) }, (_, n): [string, string] => [namespace, `item-${n}`]),
  );
  while (wanted.length > 0) {
    await Promise.all(
      wanted.splice(0, CREATED_AT_ONCE).map(([namespace, name]) => create(namespace, name, ITEM_BYTES)),
    );
  }
  await api.close();
  return token;
}
