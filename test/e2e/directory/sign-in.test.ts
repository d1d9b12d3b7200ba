import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { getClusterTunnels } from '#schema/api/clusters/clusters.ts';
import { signInWithProvider } from '#schema/api/providers/password.ts';
import { searchPrincipals } from '#schema/api/providers/principals.ts';
import { endpointsOf } from '#schema/resources/endpoints.ts';
import { ProviderKind } from '#schema/resources/kinds/providers.ts';
import { PlaneApi } from '../../support/api.ts';
import { startChromium, visit, type Visitor } from '../../support/browser/chromium.ts';
import { look } from '../../support/browser/look.ts';
import { newPassword, TestDomain } from '../../support/worlds/domain.ts';
import { Scratch } from '../../support/processes/local.ts';
import { startWorld, type World } from '../../support/worlds/world.ts';

// A real domain controller, a real agent that asks it, a real plane, and a real API server whose RBAC is the judge. Steps of one story: each test goes on from the one before.

const scratch = new Scratch();
let domain: TestDomain;
let world: World;
/** Somebody’s browser, which nobody has signed in with. */
let visitor: Visitor;
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
  await domain.addUser({ cn: 'Bob', login: 'bob', password, disabled: true });
  ops = await domain.addGroup('operations', [inner]);
  const chromium = await startChromium(await scratch.folder(), [world.plane.caPem]);
  scratch.defer(async () => await chromium.close());
  visitor = await visit(chromium, world.plane.url);
});
afterAll(async () => {
  await scratch.clear();
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
  await api.text('POST', '/v1/auth/providers', {
    metadata: { name: 'activedirectory' },
    spec: { displayName: 'Corp', config },
  });
  expect((await api.call('POST', '/v1/auth/providers/activedirectory/enable')).status).toBe(409);
  expect(await api.text('GET', '/v1/auth/providers/activedirectory')).not.toContain(domain.config().bindPassword);
  const tested = await api.json(
    endpointsOf(ProviderKind).actions.test.result,
    'POST',
    '/v1/auth/providers/activedirectory/test',
  );
  expect(tested.status).toMatchObject({
    checks: [{ name: 'directory', ok: true }],
    conditions: [{ type: 'Tested', status: 'True' }, {}, {}],
  });
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

/** What somebody types at the page of the directory. */
async function type(username: string, typed: string): Promise<void> {
  const { page } = visitor;
  await page.getByLabel('Name', { exact: true }).fill(username);
  await page.getByLabel('Password', { exact: true }).fill(typed);
  const answered = page.waitForResponse(`${world.plane.url}/login`);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await answered;
  await page.waitForLoadState();
}
const toTheDirectory = async (): Promise<void> => {
  await visitor.page.goto(`${world.plane.url}/login`);
  await visitor.page.getByRole('link', { name: 'Sign in with Corp' }).click();
};
const wrong = async (): Promise<string> => (await visitor.page.getByRole('alert').textContent()) ?? '';
const heading = async (): Promise<string> =>
  (await visitor.page.getByRole('heading', { level: 1 }).textContent()) ?? '';

describe('in a browser', () => {
  test('they choose the directory, type their name and password there, and see who they are and what is theirs', async () => {
    const { page, complaints } = visitor;
    await toTheDirectory();
    expect(await heading()).toBe('Sign in with Corp');
    expect(await look(page, 'directory')).toEqual([]);
    expect(await page.getByRole('link', { name: 'Other ways to sign in' }).count()).toBe(1);
    expect(complaints).toEqual([]);
    await type('ada', password);
    expect(await page.getByText('You are signed in as').textContent()).toBe('You are signed in as ada (Ada Lovelace).');
    expect(await page.getByRole('listitem').allTextContents()).toEqual(['e2e']);
    expect(await look(page, 'directory-signed-in')).toEqual([]);
    await page.getByRole('button', { name: 'Sign out' }).click();
    expect(await heading()).toBe('Signed out');
  });

  test('a wrong password and an account that is disabled there are told alike, and what to do', async () => {
    await toTheDirectory();
    await type('ada', newPassword());
    const said = await wrong();
    expect(said).toMatch(/^The name or the password is wrong\..*ask an administrator\.$/);
    await type('bob', password);
    expect([await wrong(), await heading()]).toEqual([said, 'Sign in with Corp']);
    expect(await look(visitor.page, 'directory-wrong')).toEqual([]);
  });
});

test('disabled on the plane, they are refused within 5 s, and do not come in again', async () => {
  await world.api.text('PATCH', `/v1/users/${ada.id}`, { spec: { enabled: false } });
  const after = await refusedAfter(401);
  console.log(`refused ${Math.round(after)} ms after the person was disabled`);
  expect(after).toBeLessThan(REVOKED_WITHIN_MS);
  expect((await signIn('ada', password)).status).toBe(403);
});

describe('in a browser, once more', () => {
  test('whom the plane keeps out is told so, and who can change it', async () => {
    await toTheDirectory();
    await type('ada', password);
    expect(await wrong()).toMatch(/^This account is disabled\. Only an administrator/);
  });

  test('a directory that does not answer is no fault of theirs, and no server of it is named', async () => {
    await domain.ldaps.close();
    await toTheDirectory();
    await type('ada', password);
    expect(await wrong()).toMatch(/^The directory does not answer as it should\. Nothing is wrong with your account\./);
    expect(await wrong()).not.toMatch(/127\.0\.0\.1|ECONN/);
    expect(await visitor.page.getByText(/^Request \S+$/).count()).toBe(1);
    expect(await look(visitor.page, 'directory-down')).toEqual([]);
  });

  test('nor is an agent that is gone', async () => {
    await world.agent?.kill();
    const tunnels = async () =>
      (await world.api.json(getClusterTunnels.result, 'GET', `/v1/clusters/${world.clusterId}/tunnels`)).items;
    await expect.poll(tunnels, { timeout: 15_000 }).toEqual([]);
    await toTheDirectory();
    await type('ada', password);
    expect(await wrong()).toMatch(/^The cluster by which the directory is asked is not connected\./);
  });
});
