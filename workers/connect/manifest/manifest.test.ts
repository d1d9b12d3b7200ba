import { expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { manifest, type ManifestFacts } from './manifest.ts';

const FACTS: ManifestFacts = {
  cluster: { id: 'c-gaaaaaaaaaabbbbbbbb', name: 'first' },
  server: 'https://plane.example.com',
  ca: '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n',
  image: 'docker.io/outrider/agent:1',
  registrationToken: 'abcdefghijklmnopqrstuvwxyz234567',
};

interface KubeObject {
  kind: string;
  metadata: { name: string; namespace?: string; labels: Record<string, string>; annotations?: Record<string, string> };
  // What a test reads of a kind that it knows.
  [field: string]: any;
}

async function objects(change: Partial<ManifestFacts> = {}, version: '1.1' | '1.2' = '1.1'): Promise<KubeObject[]> {
  const documents = parseAllDocuments(await manifest({ ...FACTS, ...change }), { version });
  return [...documents].map((document) => {
    expect(document.errors).toEqual([]);
    return document.toJS() as KubeObject;
  });
}

const named = (all: KubeObject[], kind: string, name: string): KubeObject =>
  all.find((object) => object.kind === kind && object.metadata.name === name) ?? expect.fail(`no ${kind} ${name}`);

test('exactly these objects, the namespace first', async () => {
  expect((await objects()).map(({ kind, metadata }) => `${kind}/${metadata.name}`)).toEqual([
    'Namespace/outrider-system',
    'ServiceAccount/outrider-agent',
    'ServiceAccount/outrider-proxy',
    'ServiceAccount/outrider-manager',
    'Role/outrider-agent',
    'RoleBinding/outrider-agent',
    'ClusterRole/outrider-proxy',
    'ClusterRoleBinding/outrider-proxy',
    'Role/outrider-manager',
    'RoleBinding/outrider-manager',
    'ClusterRole/outrider-manager',
    'ClusterRoleBinding/outrider-manager',
    'ClusterRoleBinding/outrider:cluster-owner',
    'ClusterRoleBinding/outrider:cluster-view',
    'ClusterRole/outrider:cluster-read-only',
    'ClusterRoleBinding/outrider:cluster-read-only',
    'Secret/outrider-agent',
    'Secret/outrider-registration',
    'ConfigMap/outrider-agent',
    'Deployment/outrider-agent',
    'PodDisruptionBudget/outrider-agent',
  ]);
});

test('the pods may ask for tokens of two accounts and do nothing else', async () => {
  const all = await objects();
  expect(named(all, 'Role', 'outrider-agent')['rules']).toEqual([
    {
      apiGroups: [''],
      resources: ['serviceaccounts/token'],
      resourceNames: ['outrider-proxy', 'outrider-manager'],
      verbs: ['create'],
    },
  ]);
  const bound = all.filter((object) => JSON.stringify(object['subjects'] ?? '').includes('outrider-agent'));
  expect(bound.map(({ kind, metadata }) => `${kind}/${metadata.name}`)).toEqual(['RoleBinding/outrider-agent']);
});

test('the manager reads one namespace and one secret by name, and lists nothing', async () => {
  const all = await objects();
  expect(named(all, 'ClusterRole', 'outrider-manager')['rules']).toEqual([
    { apiGroups: [''], resources: ['namespaces'], resourceNames: ['kube-system'], verbs: ['get'] },
  ]);
  expect(named(all, 'Role', 'outrider-manager')['rules']).toEqual([
    { apiGroups: [''], resources: ['secrets'], resourceNames: ['outrider-agent'], verbs: ['get', 'update'] },
  ]);
});

test('no role has a wildcard or nodes/proxy, and cluster-admin is bound to the owners alone', async () => {
  const all = await objects();
  for (const object of all) expect(JSON.stringify(object['rules'] ?? '')).not.toMatch(/"\*"|nodes\//);
  const admins = all.filter((object) => object['roleRef']?.name === 'cluster-admin');
  expect(admins.map((object) => object['subjects'])).toEqual([
    [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'outrider.dev:cluster-owner' }],
  ]);
});

test('whoever may only look sees what is in namespaces by `view`, and changes nothing anywhere', async () => {
  const all = await objects();
  const theirs = all.filter((object) => JSON.stringify(object['subjects'] ?? '').includes('cluster-read-only'));
  expect(theirs.map((object) => object['roleRef']?.name)).toEqual(['view', 'outrider:cluster-read-only']);
  const rules = named(all, 'ClusterRole', 'outrider:cluster-read-only')['rules'] as { verbs: string[] }[];
  expect(new Set(rules.flatMap(({ verbs }) => verbs))).toEqual(new Set(['get', 'list', 'watch']));
});

test("the agent's own secret has no data, so a second apply leaves its key alone", async () => {
  const secret = named(await objects(), 'Secret', 'outrider-agent');
  expect(Object.keys(secret).toSorted()).toEqual(['apiVersion', 'kind', 'metadata', 'type']);
});

test('the pods pass the restricted profile of Pod Security Standards', async () => {
  const all = await objects();
  expect(named(all, 'Namespace', 'outrider-system').metadata.labels).toMatchObject({
    'pod-security.kubernetes.io/enforce': 'restricted',
  });
  const pod = named(all, 'Deployment', 'outrider-agent')['spec'].template.spec;
  expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
  expect(pod.containers[0].securityContext).toEqual({
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'] },
    readOnlyRootFilesystem: true,
  });
});

test('what the pods read when they start restarts them when it changes', async () => {
  const checksum = async (change: Partial<ManifestFacts>): Promise<string> =>
    named(await objects(change), 'Deployment', 'outrider-agent')['spec'].template.metadata.annotations[
      'outrider.dev/config-checksum'
    ];
  const first = await checksum({});
  expect(await checksum({})).toBe(first);
  expect(await checksum({ registrationToken: 'b'.repeat(32) })).not.toBe(first);
  expect(await checksum({ server: 'https://other.example.com' })).not.toBe(first);
  expect(await checksum({ ca: null })).not.toBe(first);
  expect(first).not.toContain(FACTS.registrationToken);
});

const HOSTILE = [
  'a"\n---\nkind: ClusterRoleBinding\nmetadata:\n  name: evil',
  "a'\n---\napiVersion: v1",
  '# not a comment',
  '\n...\n---\n',
  '!!binary aGk=',
  '&a *a',
  '{{.Values}}',
  '%YAML 1.1\n---',
  'yes',
  'null',
  '0o17',
  '1_000',
  '12:30:45',
  '~',
  ' leading and trailing ',
  '\u2028line\u0085separators\u00a0',
  '\t',
];

test.each(HOSTILE)('nothing is injected through any value: %o', async (text) => {
  const calm = await objects();
  for (const version of ['1.1', '1.2'] as const) {
    const all = await objects(
      { cluster: { id: text, name: text }, server: text, ca: text, image: text, registrationToken: text },
      version,
    );
    expect(all.map(({ kind, metadata }) => [kind, metadata.name])).toEqual(
      calm.map(({ kind, metadata }) => [kind, metadata.name]),
    );
    expect(named(all, 'Namespace', 'outrider-system').metadata.annotations).toEqual({
      'outrider.dev/cluster': text,
      'outrider.dev/cluster-name': text,
    });
    const { token } = named(all, 'Secret', 'outrider-registration')['data'];
    expect(Buffer.from(token, 'base64').toString()).toBe(text);
    expect(named(all, 'ConfigMap', 'outrider-agent')['data']).toEqual({ server: text, 'ca.crt': text });
    expect(named(all, 'Deployment', 'outrider-agent')['spec'].template.spec.containers[0].image).toBe(text);
  }
});
