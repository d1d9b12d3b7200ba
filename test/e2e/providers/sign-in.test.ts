import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { PROJECT } from '#scripts/lib/project.ts';
import type { Plane } from '#scripts/local/plane.ts';
import { endpointsOf } from '#schema/resources/endpoints.ts';
import { ProviderKind } from '#schema/resources/kinds/providers.ts';
import { setUpAdministrator } from '#scripts/local/setup.ts';
import { PlaneApi } from '../../support/api.ts';
import { startGitHub, type GitHubServer } from '../../support/github/server.ts';
import { Scratch, reach } from '../../support/processes/local.ts';
import { Browser, type Page } from '../../support/sign-in/browser.ts';
import { startOidc, type OidcServer } from '../../support/sign-in/oidc-server.ts';
import { makeTls } from '../../support/sign-in/tls.ts';

// A real plane, a real OpenID provider with its own pages, and a GitHub Enterprise, each a server with a company's CA on an address that is not public.

const scratch = new Scratch();
let plane: Plane;
let api: PlaneApi;
let oidc: OidcServer;
let gitHub: GitHubServer;
let caPem: string;

beforeAll(async () => {
  const tls = await makeTls();
  ({ caPem } = tls);
  const trustFile = join(await scratch.folder(), 'company.pem');
  await writeFile(trustFile, tls.caPem);
  plane = await scratch.plane({ project: PROJECT, reach: ['127.0.0.1/32'], trustFile });
  const callback = (id: string): string => `${plane.url}/v1/auth/providers/${id}/callback`;
  oidc = await startOidc(tls, () => callback('oidc'));
  scratch.defer(async () => await oidc.close());
  const app = { clientId: 'Iv1.plane', clientSecret: 'github-app-secret', callbackUrl: callback('github') };
  gitHub = await startGitHub(tls, app);
  scratch.defer(async () => await gitHub.close());
  const { id } = await setUpAdministrator(plane);
  api = new PlaneApi(plane, await plane.mint(id));
  scratch.defer(async () => await api.close());
  const { clientId, clientSecret } = oidc;
  const scopes = ['profile', 'offline_access'];
  await add('oidc', { type: 'oidc', issuer: oidc.url, clientId, clientSecret, scopes });
  await add('github', {
    type: 'github',
    hostname: new URL(gitHub.url).host,
    clientId: app.clientId,
    clientSecret: app.clientSecret,
  });
});
afterAll(async () => scratch.clear());

const Tested = endpointsOf(ProviderKind).actions.test.result;

async function add(id: string, config: object): Promise<void> {
  await api.text('POST', '/v1/auth/providers', { metadata: { name: id }, spec: { displayName: id, config } });
  const tested = await api.json(Tested, 'POST', `/v1/auth/providers/${id}/test`);
  expect(tested.status.checks.filter(({ ok }) => !ok)).toEqual([]);
  await api.text('POST', `/v1/auth/providers/${id}/enable`);
}

const Me = z.object({ user: z.object({ id: z.string(), username: z.string() }) });

/** What a browser is after it was sent on: whose session it has. */
async function signedIn(window: Browser): Promise<{ token: string; user: z.infer<typeof Me>['user'] }> {
  const token = window.cookie(plane.url, '__Host-outrider-session');
  if (token === undefined) throw new Error('this browser has no session');
  const answer = await reach(plane, '/v1/me', { headers: { authorization: `Bearer ${token}` } });
  return { token, user: Me.parse(await answer.json()).user };
}

function browser(): Browser {
  const one = new Browser([plane.caPem, caPem]);
  scratch.defer(async () => await one.close());
  return one;
}

/** As a person does it: the provider's page for name and password, and the one that asks whether the plane may know. */
async function signInWithOidc(who: string, window = browser(), stop: RegExp | null = null): Promise<Page> {
  const login = await window.open(`${plane.url}/v1/auth/providers/oidc/start?returnTo=/login`);
  const consent = await window.submit(login, { login: who, password: 'any' });
  return await window.submit(consent, {}, stop);
}

const me = async (token: string): Promise<number> =>
  (await reach(plane, '/v1/me', { headers: { authorization: `Bearer ${token}` } })).status;

const Principals = z.object({ items: z.array(z.object({ principal: z.string(), gone: z.boolean() })) });
const Refreshed = z.object({ items: z.array(z.object({ outcome: z.string(), detail: z.string() })) });

test('a person signs in with OpenID Connect through the pages of a real provider', async () => {
  oidc.people.set('ada', { preferred_username: 'Ada', name: 'Ada Lovelace', groups: ['staff'] });
  const window = browser();
  const page = await signInWithOidc('ada', window);
  expect(page).toMatchObject({
    url: `${plane.url}/login`,
    status: 200,
    text: expect.stringContaining('signed in as <b><bdi>ada</bdi></b> (<bdi>Ada Lovelace</bdi>)'),
  });
  // This plane has an authority of its own.
  expect(page.text).toContain(`outrider login --server ${plane.url} --ca-file ca.crt`);
  const { token, user } = await signedIn(window);
  expect(user.username).toBe('ada');
  expect(await me(token)).toBe(200);
  const { items } = await api.json(Principals, 'GET', `/v1/users/${user.id}/principals`);
  expect(items).toEqual([{ principal: 'oidc_user://ada', gone: false }]);
  const other = browser();
  await signInWithOidc('ada', other);
  expect((await signedIn(other)).user.id).toBe(user.id);
});

test('groups are refreshed with the refresh token of a real provider, and a lost one ends the tokens', async () => {
  oidc.people.set('bob', { preferred_username: 'bob', name: 'Bob', groups: ['staff'] });
  const window = browser();
  await signInWithOidc('bob', window);
  const { token, user } = await signedIn(window);
  const access = { mode: 'groups', principals: ['oidc_group://staff', 'oidc_user://ada'] };
  await api.text('PATCH', '/v1/auth/providers/oidc', { spec: { access } });
  const refresh = async () => (await api.json(Refreshed, 'POST', `/v1/users/${user.id}/refresh`)).items;
  expect(await refresh()).toEqual([{ outcome: 'confirmed', detail: '1 groups' }]);
  expect(await me(token)).toBe(200);
  oidc.people.set('bob', { preferred_username: 'bob', name: 'Bob', groups: [] });
  expect(await refresh()).toEqual([{ outcome: 'confirmed', detail: '0 groups' }]);
  expect(await me(token)).toBe(401);
  expect((await signInWithOidc('bob')).status).toBe(403);
  await api.text('PATCH', '/v1/auth/providers/oidc', { spec: { access: { mode: 'anyone' } } });
});

test('a code of a real provider is good in the browser that asked for it, once, and nowhere else', async () => {
  oidc.people.set('eve', { preferred_username: 'eve', name: 'Eve', groups: [] });
  const { url } = await signInWithOidc('eve', browser(), /\/callback\?/);
  expect(url).toMatch(/[?&]code=.+/);
  expect((await browser().open(url)).status).toBe(401);
  const other = browser();
  await other.open(`${plane.url}/v1/auth/providers/oidc/start`);
  expect((await other.open(url)).status).toBe(401);
});

test('a person signs in with a GitHub Enterprise; a grant that they take back ends their tokens', async () => {
  gitHub.gitHub.addAccount('octocat', { orgs: ['acme'], teams: ['acme/platform'] });
  gitHub.gitHub.signedInAs = 'octocat';
  const window = browser();
  await window.open(`${plane.url}/v1/auth/providers/github/start`);
  const { token, user } = await signedIn(window);
  expect(user.username).toBe('octocat');
  const refresh = async () => (await api.json(Refreshed, 'POST', `/v1/users/${user.id}/refresh`)).items;
  expect(await refresh()).toEqual([{ outcome: 'confirmed', detail: '2 groups' }]);
  gitHub.gitHub.trouble = 'outage';
  expect(await refresh()).toMatchObject([{ outcome: 'unavailable' }]);
  expect(await me(token)).toBe(200);
  gitHub.gitHub.trouble = null;
  gitHub.gitHub.revoke('octocat');
  expect(await refresh()).toMatchObject([{ outcome: 'gone' }]);
  expect(await me(token)).toBe(401);
});

test('a person who says no at the provider is told so, and is signed in nowhere', async () => {
  gitHub.gitHub.signedInAs = null;
  const page = await browser().open(`${plane.url}/v1/auth/providers/github/start`);
  expect(page).toMatchObject({ status: 401, text: expect.stringContaining('GitHub sent no authorization') });
});

test('secrets and people survive a crash of the plane, and neither log nor database holds a secret in the clear', async () => {
  await plane.kill();
  await plane.restart();
  gitHub.gitHub.signedInAs = 'octocat';
  const window = browser();
  await window.open(`${plane.url}/v1/auth/providers/github/start`);
  expect((await signedIn(window)).user.username).toBe('octocat');
  const log = await readFile(join(plane.dataDir.logs, 'workerd.log'), 'utf8');
  expect(log).toContain('/v1/auth/providers/github/callback');
  expect(log).not.toContain('code=');
  const files = await readdir(plane.dataDir.d1, { recursive: true, withFileTypes: true });
  const database = files
    .filter((file) => file.isFile())
    .map(async (file) => await readFile(join(file.parentPath, file.name), 'latin1'));
  const texts = [log, ...(await Promise.all(database))];
  // It is there that the database keeps what it is told.
  expect(texts.join('')).toContain('github_user://');
  for (const text of texts) {
    for (const secret of ['github-app-secret', oidc.clientSecret]) expect(text).not.toContain(secret);
    expect(gitHub.gitHub.holdsToken(text)).toBe(false);
  }
});

test('a plane reaches nothing on this machine unless whoever runs it says so', async () => {
  const closed = await scratch.plane({ project: PROJECT });
  const { id } = await setUpAdministrator(closed);
  const other = new PlaneApi(closed, await closed.mint(id));
  scratch.defer(async () => await other.close());
  const config = { type: 'oidc', issuer: oidc.url, clientId: 'x' };
  await other.text('POST', '/v1/auth/providers', { metadata: { name: 'oidc' }, spec: { displayName: 'x', config } });
  const tested = await other.json(Tested, 'POST', '/v1/auth/providers/oidc/test');
  expect(tested.status).toMatchObject({
    conditions: [{ type: 'Tested', status: 'False', reason: 'Failed' }, {}, {}],
    checks: [{ name: 'discovery', detail: expect.stringContaining('cannot be reached') }],
  });
});
