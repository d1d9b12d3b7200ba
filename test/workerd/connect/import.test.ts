import { beforeAll, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { administrator, ask, cluster, newRegistrationToken, ORIGIN } from '../management/client.ts';

// Checked by taking out the refusal of query parameters: the test that names it failed.

let token: string;
beforeAll(async () => {
  token = await administrator();
});

test('the import address gives the manifest, and nobody keeps a copy', async () => {
  const id = await cluster('imported');
  const secret = await newRegistrationToken(id, token);
  const answer = await ask(`GET /import/${secret}.yaml`);
  expect(answer.headers.get('content-type')).toBe('application/yaml');
  expect(answer.headers.get('cache-control')).toBe('no-store');
  expect(answer.headers.get('referrer-policy')).toBe('no-referrer');
  const [namespace, ...others] = [...parseAllDocuments(answer.text)].map((document) => document.toJS());
  expect(namespace.metadata.annotations).toEqual({
    'outrider.dev/cluster': id,
    'outrider.dev/cluster-name': 'imported',
  });
  const config_ = others.find(({ kind }) => kind === 'ConfigMap');
  expect(config_.data).toEqual({ server: ORIGIN, 'ca.crt': '' });
});

test('a name that hostile hands wrote into the database stays one text in the manifest', async () => {
  const name = 'a"\n---\nkind: ClusterRoleBinding\nmetadata: {name: evil}';
  const answer = await ask(`GET /import/${await newRegistrationToken(await cluster(name), token)}.yaml`);
  const documents = [...parseAllDocuments(answer.text)].map((document) => document.toJS());
  expect(documents).toHaveLength(21);
  expect(documents[0].metadata.annotations['outrider.dev/cluster-name']).toBe(name);
});

test.each(['?authImage=a%0A---%0Akind:%20Pod', '?x', '?token=y'])(
  'the import address takes no parameter: %s (CVE-2026-44939)',
  async (query) => {
    const secret = await newRegistrationToken(await cluster(), token);
    const answer = await ask(`GET /import/${secret}.yaml${query}`);
    expect(answer.status).toBe(400);
    expect(answer.text.split('\n').every((line) => line === '' || line.startsWith('#'))).toBe(true);
  },
);

test.each([
  '/import/',
  '/import/x.yaml',
  '/import/..%2fv1.yaml',
  `/import/${'a'.repeat(32)}`,
  `/import/${'A'.repeat(32)}.yaml`,
])('the address %s gives a comment that says what to do', async (path) => {
  const answer = await ask(`GET ${path}`);
  expect(answer.status).toBe(404);
});
