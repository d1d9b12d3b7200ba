import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { signInWithProvider } from '#schema/api/providers/password.ts';
import { searchPrincipals } from '#schema/api/providers/principals.ts';
import { testProvider } from '#schema/api/providers/providers.ts';
import { PlaneApi } from '../../support/api.ts';
import { newPassword, TestDomain } from '../../support/domain.ts';
import { startWorld, type World } from '../../support/world.ts';

// A real domain controller, a real agent that asks it, a real plane, and a real API server whose RBAC is the judge. Steps of one story: each test goes on from the one before.

let domain: TestDomain;
let world: World;
let inner: string;
let ops: string;
let opsPrincipal: string;
/** Who is signed in, and what they sign in with. */
let ada: { id: string; token: string };
const password = newPassword();

/** The goal of the issue: from the API's answer to the first refused request. */
const REVOKED_WITHIN_MS = 5_000;

beforeAll(async () => {
  [domain, world] = await Promise.all([
    TestDomain.start(console.log),
    startWorld({ agent: 'process', cluster: 'api', auditLog: false }),
  ]);
  const adaDn = await domain.addUser({ cn: 'Ada', login: 'ada', password, displayName: 'Ada Lovelace' });
  inner = await domain.addGroup('inner', [adaDn]);
  ops = await domain.addGroup('operations', [inner]);
});
afterAll(async () => {
  await world?.stop();
  await domain?.stop();
});

const signIn = async (username: string, typed: string): Promise<{ status: number; text: string }> => {
  const anybody = new PlaneApi(world.plane, 'none');
  try {
    return await anybody.call('POST', '/v1/auth/providers/activedirectory/password', { username, password: typed });
  } finally {
    await anybody.close();
  }
};
const asAda = async (method: string, path: string, body?: unknown): Promise<{ status: number; text: string }> => {
  const api = new PlaneApi(world.plane, ada.token);
  try {
    return await api.call(method, `/k8s/clusters/${world.clusterId}${path}`, body);
  } finally {
    await api.close();
  }
};
const configMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'by-ada' } };
/** How long it took until a request was refused, ms. */
async function refusedAfter(status: number): Promise<number> {
  const began = performance.now();
  await expect.poll(async () => (await asAda('GET', '/api/v1/namespaces')).status, { timeout: 15_000 }).toBe(status);
  return performance.now() - began;
}

test('a directory is enabled once it was tested, through the agent of the cluster that the administrator picked', async () => {
  const { api } = world;
  const config = { type: 'activedirectory', via: { kind: 'cluster', cluster: world.clusterId }, ...domain.config() };
  await api.text('POST', '/v1/auth/providers', { id: 'activedirectory', displayName: 'Corp', config });
  expect((await api.call('POST', '/v1/auth/providers/activedirectory/enable')).status).toBe(409);
  expect(await api.text('GET', '/v1/auth/providers/activedirectory')).not.toContain(domain.config().bindPassword);
  const tested = await api.json(testProvider.result, 'POST', '/v1/auth/providers/activedirectory/test');
  expect(tested).toMatchObject({ ok: true, checks: [{ name: 'directory', ok: true }] });
  await api.text('POST', '/v1/auth/providers/activedirectory/enable');
});

test('a group of the directory is found by its name, and given a role in the cluster', async () => {
  const found = await world.api.json(
    searchPrincipals.result,
    'GET',
    '/v1/principals?provider=activedirectory&query=operations',
  );
  expect(found.items).toMatchObject([{ kind: 'group', name: 'operations' }]);
  opsPrincipal = found.items[0]?.principal ?? '';
  await world.api.text('PUT', `/v1/clusters/${world.clusterId}/groups`, { group: opsPrincipal, role: 'read-only' });
});

test('somebody of the directory signs in, and a wrong password and an unknown name are told alike', async () => {
  const wrong = await signIn('ada', newPassword());
  const unknown = await signIn('nobody', newPassword());
  expect([wrong.status, unknown.status]).toEqual([401, 401]);
  const said = (text: string): unknown => ({ ...z.looseObject({}).parse(JSON.parse(text)), requestId: '' });
  expect(said(wrong.text)).toEqual(said(unknown.text));
  const right = await signIn('ada', password);
  expect(right.status).toBe(200);
  const { token, user } = signInWithProvider.result.parse(JSON.parse(right.text));
  ada = { id: user.id, token: token ?? '' };
});

test('what they may do in the cluster follows from their group there, a group in a group', async () => {
  expect((await asAda('GET', '/api/v1/namespaces')).status).toBe(200);
  expect((await asAda('GET', '/api/v1/nodes')).status).toBe(200);
  const refused = await asAda('POST', '/api/v1/namespaces/default/configmaps', configMap);
  expect(refused.status).toBe(403);
  expect(refused.text).toContain(`User \\"${ada.id}\\" cannot create`);
  expect((await asAda('GET', '/api/v1/namespaces/default/secrets')).status).toBe(403);
  await world.api.text('PUT', `/v1/clusters/${world.clusterId}/groups`, { group: opsPrincipal, role: 'owner' });
  await expect
    .poll(async () => (await asAda('POST', '/api/v1/namespaces/default/configmaps', configMap)).status)
    .toBe(201);
});

test('removed from the group, they lose it with the next refresh', async () => {
  await domain.removeMember(ops, inner);
  expect((await asAda('GET', '/api/v1/namespaces')).status).toBe(200);
  await world.api.text('POST', `/v1/users/${ada.id}/refresh`);
  const after = await refusedAfter(403);
  console.log(`refused ${Math.round(after)} ms after the refresh was answered`);
  expect(after).toBeLessThan(REVOKED_WITHIN_MS);
  await domain.addMember(ops, inner);
  await world.api.text('POST', `/v1/users/${ada.id}/refresh`);
  await expect.poll(async () => (await asAda('GET', '/api/v1/namespaces')).status).toBe(200);
});

test('disabled on the plane, they are refused within 5 s, and do not come in again', async () => {
  await world.api.text('PATCH', `/v1/users/${ada.id}`, { spec: { enabled: false } });
  const after = await refusedAfter(401);
  console.log(`refused ${Math.round(after)} ms after the person was disabled`);
  expect(after).toBeLessThan(REVOKED_WITHIN_MS);
  expect((await signIn('ada', password)).status).toBe(403);
});
