import { CLUSTER_OWNER_GROUP, CLUSTER_READ_ONLY_GROUP } from '#schema/access.ts';
import { AGENT_ACCOUNT, AGENT_SECRET, MANAGER_ACCOUNT, NAMESPACE, PROXY_ACCOUNT } from '#schema/kube/names.ts';
import type { YamlDocument } from '../../yaml.ts';
import { LABELS } from './labels.ts';

const API = 'rbac.authorization.k8s.io';

interface Rule {
  readonly apiGroups: string[];
  readonly resources: string[];
  readonly resourceNames?: string[];
  readonly verbs: string[];
}

const namespaced = (name: string) => ({ name, namespace: NAMESPACE, labels: LABELS });
const clusterWide = (name: string) => ({ name, labels: LABELS });

const account = (name: string, comment: string, automountServiceAccountToken: boolean): YamlDocument => ({
  comment,
  value: { apiVersion: 'v1', kind: 'ServiceAccount', metadata: namespaced(name), automountServiceAccountToken },
});

const subject = (name: string) => ({ kind: 'ServiceAccount', name, namespace: NAMESPACE });

/** A role for one account, and its binding of the same name. */
function grant(kind: 'Role' | 'ClusterRole', name: string, comment: string, rules: Rule[]): YamlDocument[] {
  const metadata = kind === 'Role' ? namespaced(name) : clusterWide(name);
  return [
    { comment, value: { apiVersion: `${API}/v1`, kind, metadata, rules } },
    {
      value: {
        apiVersion: `${API}/v1`,
        kind: `${kind}Binding`,
        metadata,
        roleRef: { apiGroup: API, kind, name },
        subjects: [subject(name)],
      },
    },
  ];
}

/** The role `view` shows what is in namespaces, without secrets; this is the rest that a person who looks at a cluster expects (`kubectl get nodes`, `top`). */
const READ_ONLY_ROLE = 'outrider:cluster-read-only';

const READ_ONLY_RULES: Rule[] = [
  {
    apiGroups: [''],
    resources: ['nodes', 'namespaces', 'persistentvolumes', 'componentstatuses'],
    verbs: ['get', 'list', 'watch'],
  },
  {
    apiGroups: ['storage.k8s.io'],
    resources: ['storageclasses', 'volumeattachments'],
    verbs: ['get', 'list', 'watch'],
  },
  { apiGroups: ['apiextensions.k8s.io'], resources: ['customresourcedefinitions'], verbs: ['get', 'list', 'watch'] },
  { apiGroups: ['apiregistration.k8s.io'], resources: ['apiservices'], verbs: ['get', 'list', 'watch'] },
  { apiGroups: ['scheduling.k8s.io'], resources: ['priorityclasses'], verbs: ['get', 'list', 'watch'] },
  { apiGroups: ['metrics.k8s.io'], resources: ['nodes', 'pods'], verbs: ['get', 'list'] },
];

const bound = (name: string, role: string, group: string, comment?: string): YamlDocument => ({
  ...(comment === undefined ? {} : { comment }),
  value: {
    apiVersion: `${API}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: clusterWide(name),
    roleRef: { apiGroup: API, kind: 'ClusterRole', name: role },
    subjects: [{ apiGroup: API, kind: 'Group', name: group }],
  },
});

/** Accounts, their least roles, and the bindings that give people rights. */
export function rbac(): YamlDocument[] {
  return [
    account(
      AGENT_ACCOUNT,
      "The pods' own account. It can do nothing but ask for tokens of the two accounts below.",
      true,
    ),
    account(PROXY_ACCOUNT, "Sends people's requests to the API server, as them.", false),
    account(MANAGER_ACCOUNT, 'Manages what Outrider owns in this cluster.', false),
    ...grant('Role', AGENT_ACCOUNT, 'Tokens of exactly two accounts (TokenRequest).', [
      {
        apiGroups: [''],
        resources: ['serviceaccounts/token'],
        resourceNames: [PROXY_ACCOUNT, MANAGER_ACCOUNT],
        verbs: ['create'],
      },
    ]),
    ...grant(
      'ClusterRole',
      PROXY_ACCOUNT,
      'Whoever may impersonate anybody can do anything: this equals cluster-admin. The agent sends no identity\n' +
        'that begins with "system:", but for the group system:authenticated, whatever the plane asks for.',
      [
        { apiGroups: [''], resources: ['users', 'groups'], verbs: ['impersonate'] },
        {
          apiGroups: ['authentication.k8s.io'],
          resources: ['userextras/outrider.dev/username', 'userextras/outrider.dev/token'],
          verbs: ['impersonate'],
        },
      ],
    ),
    ...grant('Role', MANAGER_ACCOUNT, "The agent's key and credential, which it writes itself.", [
      { apiGroups: [''], resources: ['secrets'], resourceNames: [AGENT_SECRET], verbs: ['get', 'update'] },
    ]),
    ...grant('ClusterRole', MANAGER_ACCOUNT, 'The UID of kube-system tells this cluster from every other.', [
      { apiGroups: [''], resources: ['namespaces'], resourceNames: ['kube-system'], verbs: ['get'] },
    ]),
    bound(
      'outrider:cluster-owner',
      'cluster-admin',
      CLUSTER_OWNER_GROUP,
      "The plane's owners of this cluster. Take this binding away and they have only what you grant them.",
    ),
    bound(
      'outrider:cluster-view',
      'view',
      CLUSTER_READ_ONLY_GROUP,
      'Whoever may only look: what is in namespaces but secrets, and what belongs to no namespace.',
    ),
    {
      value: {
        apiVersion: `${API}/v1`,
        kind: 'ClusterRole',
        metadata: clusterWide(READ_ONLY_ROLE),
        rules: READ_ONLY_RULES,
      },
    },
    bound(READ_ONLY_ROLE, READ_ONLY_ROLE, CLUSTER_READ_ONLY_GROUP),
  ];
}
