import { env } from 'cloudflare:workers';
import { beforeAll, expect, test } from 'vitest';
import { administrator, ask, cluster, outcome } from './client.ts';

let token: string;
let id: string;
beforeAll(async () => {
  token = await administrator();
  id = await cluster();
});

const directory = {
  servers: ['dc1.corp.example'],
  port: 636,
  security: 'ldaps',
  ca: null,
  searchBase: 'DC=corp,DC=example',
  bindName: 'search@corp.example',
  bindPassword: 'search-secret',
  loginAttribute: 'sAMAccountName',
};
const tested = async (body: object) => await ask(`POST /v1/clusters/${id}/directory/test`, { token, body });

test('a cluster whose agent has never connected is not asked, and no object is made for it', async () => {
  expect(outcome(await tested({ directory }))).toBe('tunnel_down');
  const object = env.CLUSTERS.get(env.CLUSTERS.idFromName(id));
  expect(await object.status()).toMatchObject({ tunnels: [] });
});

test.each([
  ['a name without a password', { name: 'ada' }],
  ['a password without a name', { password: 'ada-secret' }],
  ['an empty password', { name: 'ada', password: '' }],
  ['a name with a NUL', { name: 'ada\0', password: 'ada-secret' }],
  ['a configuration without TLS', { directory: { ...directory, security: 'none' } }],
])('%s is refused, and what was sent is not said again', async (_what, change) => {
  const answer = await tested({ directory, ...change });
  expect(outcome(answer)).toBe('invalid');
  expect(answer.text).not.toContain('secret');
});

test('who reads about it reads who could see the passwords', async () => {
  const { json } = await ask('GET /v1/openapi.json');
  expect(json.paths['/v1/clusters/{cluster}/directory/test'].post.summary).toMatch(/could see both passwords/);
  const create = JSON.stringify(json.paths['/v1/auth/providers'].post);
  expect(create).toContain('Whoever administers that cluster could see the passwords of all who sign in here');
  expect(create).toContain('passwords pass through the plane and the directory alone');
});
