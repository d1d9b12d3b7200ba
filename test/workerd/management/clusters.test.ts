import { env } from 'cloudflare:workers';
import { beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { verifyToken } from '#workers/authn/token.ts';
import {
  administrator,
  ask,
  cluster,
  config,
  member,
  nowSeconds,
  ORIGIN,
  outcome,
  person,
  tokenFor,
} from './client.ts';

let token: string;
beforeAll(async () => {
  token = await administrator();
});

test('a cluster is made, found, listed, renamed and removed', async () => {
  const made = await ask('POST /v1/clusters', { token, body: { name: 'alpha' } });
  expect(made.status).toBe(201);
  const { id } = made.json;
  expect(made.json).toMatchObject({
    metadata: { name: 'alpha' },
    status: { connectedAt: null, kubernetesVersion: null },
  });
  expect((await ask(`GET /v1/clusters/${id}`, { token })).json).toEqual(made.json);
  expect((await ask('GET /v1/clusters', { token })).json.items).toContainEqual(made.json);
  expect((await ask(`GET /v1/clusters/${id}/tunnels`, { token })).json).toEqual({ items: [], streams: 0 });
  const renamed = await ask(`PATCH /v1/clusters/${id}`, { token, body: { name: 'beta' } });
  expect(renamed.json.metadata.name).toBe('beta');
  expect(outcome(await ask(`DELETE /v1/clusters/${id}`, { token }))).toBe(204);
  expect(outcome(await ask(`GET /v1/clusters/${id}`, { token }))).toBe('unknown_cluster');
});

test('a name is taken once, by making or renaming', async () => {
  const first = await ask('POST /v1/clusters', { token, body: { name: 'taken' } });
  const second = await ask('POST /v1/clusters', { token, body: { name: 'free' } });
  expect(outcome(await ask('POST /v1/clusters', { token, body: { name: 'taken' } }))).toBe('conflict');
  expect(outcome(await ask(`PATCH /v1/clusters/${second.json.id}`, { token, body: { name: 'taken' } }))).toBe(
    'conflict',
  );
  expect(outcome(await ask(`PATCH /v1/clusters/${first.json.id}`, { token, body: { name: 'taken' } }))).toBe(200);
});

test.each(['a"\n---\nkind: Secret', 'A', '', '-a', 'a.b', 'a'.repeat(64), 7])(
  'the name %o is refused',
  async (name) => {
    expect(outcome(await ask('POST /v1/clusters', { token, body: { name } }))).toBe('invalid');
  },
);

test('people see the clusters that they have a role in, and no other', async () => {
  const ada = await person();
  const [own] = [await cluster(), await cluster()];
  await member(own, ada, 'member');
  const listed = await ask('GET /v1/clusters', { token: await tokenFor(ada) });
  expect(listed.json.items.map(({ id }: { id: string }) => id)).toEqual([own]);
});

test('a kubeconfig works for its cluster alone, ends when it was told to, and is listed', async () => {
  const ada = await person();
  const id = await cluster('gamma');
  await member(id, ada, 'member');
  const theirs = await tokenFor(ada);
  const answer = await ask(`GET /v1/clusters/${id}/kubeconfig?ttl=600&readonly=true`, { token: theirs });
  expect(answer.headers.get('content-type')).toBe('application/yaml');
  expect(answer.headers.get('cache-control')).toBe('no-store');
  const { clusters, users } = parse(answer.text);
  expect(clusters).toEqual([{ name: 'gamma', cluster: { server: `${ORIGIN}/k8s/clusters/${id}` } }]);
  const principal = await verifyToken(await config(), users[0].user.token, nowSeconds());
  expect(principal).toMatchObject({ user: ada, cluster: id, readOnly: true });
  expect(principal.expiresAt - principal.issuedAt).toBe(600);
  const listed = await ask('GET /v1/tokens', { token: theirs });
  expect(listed.json.items).toMatchObject([{ id: principal.token, kind: 'kubeconfig', cluster: id, readOnly: true }]);
});

test.each(['ttl=0', 'ttl=99999999', 'ttl=abc', 'ttl=', 'readonly=yes', 'ttl=60&ttl=7776000', 'other=1'])(
  'a kubeconfig with ?%s is refused, and makes no token',
  async (query) => {
    const id = await cluster();
    const ada = await person();
    await member(id, ada, 'member');
    const answer = await ask(`GET /v1/clusters/${id}/kubeconfig?${query}`, { token: await tokenFor(ada) });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
    expect((await ask('GET /v1/tokens', { token: await tokenFor(ada) })).json.items).toEqual([]);
  },
);

test('what hangs on a cluster goes with it', async () => {
  const id = await cluster();
  await member(id, await person(), 'owner');
  await ask(`GET /v1/clusters/${id}/kubeconfig`, { token });
  await ask(`POST /v1/clusters/${id}/registration-tokens`, { token, body: {} });
  await ask(`DELETE /v1/clusters/${id}`, { token });
  for (const table of ['cluster_members', 'tokens', 'registration_tokens']) {
    const left = await env.DB.prepare(`SELECT count(*) AS n FROM ${table} WHERE cluster_id = ?`).bind(id).first('n');
    expect([table, left]).toEqual([table, 0]);
  }
});

test('`_method` in a query changes nothing (CVE-2026-88804)', async () => {
  const id = await cluster();
  expect(outcome(await ask(`GET /v1/clusters/${id}?_method=DELETE`, { token }))).toBe('bad_request');
  expect(outcome(await ask(`GET /v1/clusters/${id}`, { token, headers: { 'x-http-method-override': 'DELETE' } }))).toBe(
    200,
  );
});

test('an address that is not there, a method that is not, and a path that is no id', async () => {
  expect(outcome(await ask('GET /v1/nothing', { token }))).toBe('not_found');
  expect(outcome(await ask('GET /', {}))).toBe('not_found');
  const wrong = await ask('PUT /v1/clusters', { token, body: {} });
  expect(outcome(wrong)).toBe('method_not_allowed');
  expect(wrong.headers.get('allow')).toBe('GET, POST');
  expect(outcome(await ask('GET /v1/clusters/constructor', { token }))).toBe('unknown_cluster');
  expect(outcome(await ask('DELETE /v1/tokens/%2e%2e%2fusers', { token }))).toBe('not_found');
});

test('every answer names its request, and takes no name from the client', async () => {
  const answer = await ask('GET /v1/clusters', { headers: { 'x-request-id': 'mine' } });
  expect(answer.headers.get('x-request-id')).toMatch(/^[a-z2-7]{16}$/);
  expect(answer.json.requestId).toBe(answer.headers.get('x-request-id'));
});

test('the API describes itself in OpenAPI', async () => {
  const { json } = await ask('GET /v1/openapi.json');
  expect(json.openapi).toBe('3.1.0');
  expect(json.paths['/v1/clusters/{cluster}/kubeconfig'].get.operationId).toBe('getKubeconfig');
  expect(json.servers).toEqual([{ url: ORIGIN }]);
});
