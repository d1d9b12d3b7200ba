import { env } from 'cloudflare:workers';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { checkConfig } from '#workers/env.ts';
import { openSecrets, reencrypt } from '#workers/authn/providers/sealed.ts';
import {
  disableProvider,
  enableProvider,
  findProviderResource,
  recordTest,
  removeProvider,
  retireProvider,
  updateProvider,
} from '#workers/store/kinds/providers.ts';
import { findProvider } from '#workers/store/providers/providers.ts';
import { ask, nowSeconds, operatorToken, outcome } from '../management/client.ts';
import { testedOf, World } from './support/world.ts';

let world: World;
beforeEach(async () => {
  world = await World.make();
  world.oidc.people.set('ada', { preferred_username: 'ada', groups: ['staff'] });
  world.gitHub.addAccount('octocat', { orgs: ['acme'], teams: ['acme/platform'] });
});
afterEach(() => {
  vi.restoreAllMocks();
});

// Checked by taking out, one at a time: the conditions on the tested generation and on how its test ended, that on the version in each write, the check of access, and the test of a new form. Each time the test that names it failed.

const config = { type: 'github', clientId: 'Iv1.outrider', clientSecret: 'github-client-secret' };
const add = async (name: string, spec: object = {}) =>
  await world.ask('POST /v1/auth/providers', { metadata: { name }, spec: { displayName: 'x', config, ...spec } });

const condition = (type: string, reason: string) => ({
  type,
  status: 'True',
  reason,
  message: expect.any(String),
  lastTransitionTime: expect.any(String),
});

test('a provider is shown as it was made, with what must be registered there, and without its secret', async () => {
  const { json } = await world.ask('GET /v1/auth/providers/github');
  expect(json).toEqual({
    id: 'github',
    kind: 'Provider',
    metadata: {
      name: 'github',
      generation: 2,
      resourceVersion: expect.stringMatching(/^\d{13}$/),
      createdAt: expect.any(String),
      finalizers: [],
      deletedAt: null,
    },
    spec: {
      displayName: 'The github',
      enabled: true,
      access: { mode: 'anyone' },
      unconfirmedHours: 72,
      config: { type: 'github', hostname: 'github.com', clientId: 'Iv1.outrider' },
    },
    status: {
      checks: [{ name: 'credentials', ok: true, detail: expect.any(String) }],
      testedAt: expect.any(String),
      people: 0,
      unconfirmed: 0,
      conditions: [
        { ...condition('Tested', 'Passed'), observedGeneration: 2 },
        { ...condition('Enabled', 'Enabled'), observedGeneration: 2 },
        { ...condition('Refreshed', 'Answers'), observedGeneration: 2 },
      ],
    },
    links: {
      self: '/v1/auth/providers/github',
      callback: '/v1/auth/providers/github/callback',
      test: '/v1/auth/providers/github/test',
      enable: '/v1/auth/providers/github/enable',
      disable: '/v1/auth/providers/github/disable',
    },
  });
});

test.each([
  ['an id that is taken', 'github', {}, 'conflict'],
  ['an id of the plane itself', 'local', {}, 'invalid'],
  ['an id that is a path', 'enabled', {}, 'invalid'],
  ['an id that would make principals ambiguous', 'a_b', {}, 'invalid'],
  ['an unknown type', 'x', { config: { ...config, type: 'saml' } }, 'invalid'],
  [
    'an issuer without TLS',
    'x',
    { config: { type: 'oidc', issuer: 'http://a.example.com', clientId: 'a' } },
    'invalid',
  ],
  ['a host with a path', 'x', { config: { ...config, hostname: 'a.example.com/b' } }, 'invalid'],
  ['a host with a name before it', 'x', { config: { ...config, hostname: 'github.com@a.example.com' } }, 'invalid'],
  ['GitHub without a secret', 'x', { config: { type: 'github', clientId: 'a' } }, 'invalid'],
  ['access for principals of another', 'x', { access: { mode: 'groups', principals: ['oidc_group://a'] } }, 'invalid'],
  ['access for a list of nobody', 'x', { access: { mode: 'groups', principals: [] } }, 'invalid'],
  ['a mark that it is enabled', 'x', { enabled: true }, 'invalid'],
])('a provider with %s is refused', async (_what, name, spec, code) => {
  expect(outcome(await add(name, spec))).toBe(code);
});

test('the access of a provider is never given to principals of another', async () => {
  const access = { mode: 'users', principals: ['oidc_user://ada'] };
  expect(outcome(await world.ask('PATCH /v1/auth/providers/github', { spec: { access } }))).toBe('invalid');
});

test('a provider is enabled only after a test with success, in its present form', async () => {
  await add('other', { config: { ...config, clientSecret: 'wrong' } });
  const enable = async () => outcome(await world.ask('POST /v1/auth/providers/other/enable'));
  expect(await enable()).toBe('provider_untested');
  const failed = await world.ask('POST /v1/auth/providers/other/test');
  const wrong = 'GitHub answered incorrect_client_credentials';
  expect(failed.json.status.checks).toEqual([{ name: 'credentials', ok: false, detail: wrong }]);
  expect(failed.json.status.conditions[0]).toMatchObject({
    type: 'Tested',
    status: 'False',
    message: `credentials: ${wrong}`,
    observedGeneration: 1,
  });
  expect(await enable()).toBe('provider_untested');
  await world.ask('PATCH /v1/auth/providers/other', { spec: { config } });
  expect(testedOf(await world.ask('POST /v1/auth/providers/other/test'))).toBe('True');
  await world.ask('PATCH /v1/auth/providers/other', { spec: { config: { ...config, clientId: 'changed' } } });
  expect(await enable()).toBe('provider_untested');
  await world.ask('PATCH /v1/auth/providers/other', { spec: { config } });
  await world.ask('POST /v1/auth/providers/other/test');
  // Another name is no other form.
  await world.ask('PATCH /v1/auth/providers/other', { spec: { displayName: 'Another name' } });
  const { json } = await world.ask('GET /v1/auth/providers/other');
  expect(json.status.conditions[0].observedGeneration).toBe(json.metadata.generation);
  expect(await enable()).toBe(200);
});

test('what a test found is of the form that was tested, and not of one that came meanwhile', async () => {
  await add('other');
  const fetched = vi.mocked(globalThis.fetch).getMockImplementation();
  let changes = 0;
  vi.mocked(globalThis.fetch).mockImplementation(async (input, init) => {
    // Somebody sets a wrong secret while the right one is tried; once.
    if (changes++ === 0) {
      await world.ask('PATCH /v1/auth/providers/other', { spec: { config: { ...config, clientSecret: 'wrong' } } });
    }
    return await (fetched?.(input, init) ?? Promise.reject(new Error('nobody')));
  });
  expect(testedOf(await world.ask('POST /v1/auth/providers/other/test'))).toBe('False');
  expect(outcome(await world.ask('POST /v1/auth/providers/other/enable'))).toBe('provider_untested');
});

test('providers are listed in pages, by their type and by whether they are enabled', async () => {
  await add('another');
  const list = async (query: string) =>
    (await world.ask(`GET /v1/auth/providers?${query}`)).json.items.map(({ id }: { id: string }) => id);
  expect(await list('')).toEqual(['another', 'github', 'oidc']);
  expect(await list('sort=-displayName&type=github')).toEqual(['another', 'github']);
  expect(await list('enabled=false')).toEqual(['another']);
  const first = (await world.ask('GET /v1/auth/providers?limit=2&fields=spec.enabled')).json;
  expect(first.items).toEqual([
    { id: 'another', spec: { enabled: false } },
    { id: 'github', spec: { enabled: true } },
  ]);
  expect(await list(`limit=2&continue=${first.continue}`)).toEqual(['oidc']);
});

test('a provider that is being removed lets nobody in, and goes with its last finalizer', async () => {
  const ada = await world.signIn('oidc', 'ada');
  await world.ask('PATCH /v1/auth/providers/oidc', { metadata: { finalizers: ['a.example/one'] } });
  expect(outcome(await ask('GET /v1/me', { token: ada.json.token }))).toBe(200);
  expect(outcome(await world.ask('DELETE /v1/auth/providers/oidc'))).toBe(204);
  expect(outcome(await ask('GET /v1/me', { token: ada.json.token }))).toBe('unauthenticated');
  const { json } = await world.ask('GET /v1/auth/providers/oidc');
  expect(json).toMatchObject({ metadata: { deletedAt: expect.any(String) }, spec: { enabled: false } });
  expect(json.status.conditions[1]).toMatchObject({ type: 'Enabled', status: 'False', reason: 'Deleting' });
  for (const action of ['enable', 'test', 'disable']) {
    expect(outcome(await world.ask(`POST /v1/auth/providers/oidc/${action}`))).toBe('conflict');
  }
  expect((await ask('GET /v1/auth/providers/enabled')).json.items).toMatchObject([{ id: 'github' }]);
  await world.ask('PATCH /v1/auth/providers/oidc', { metadata: { finalizers: [] } });
  expect(outcome(await world.ask('GET /v1/auth/providers/oidc'))).toBe('not_found');
});

test('it is shown of how many people a provider could not be asked, and since when', async () => {
  await world.signIn('oidc', 'ada');
  const refreshed = async () => (await world.ask('GET /v1/auth/providers/oidc')).json.status;
  expect(await refreshed()).toMatchObject({ people: 1, unconfirmed: 0 });
  const since = nowSeconds() - 10_000;
  await env.DB.batch([
    env.DB.prepare('UPDATE user_principals SET confirmed_at = ?').bind(since),
    env.DB.prepare('UPDATE providers SET enabled_changed_at = ?').bind(since - 1),
  ]);
  const status = await refreshed();
  expect(status).toMatchObject({ people: 1, unconfirmed: 1 });
  expect(status.conditions[2]).toMatchObject({
    type: 'Refreshed',
    status: 'False',
    lastTransitionTime: new Date((since + 7200) * 1000).toISOString(),
  });
});

test('a test tells what is wrong with an OpenID provider', async () => {
  const test_ = async () => (await world.ask('POST /v1/auth/providers/oidc/test')).json.status;
  expect((await test_()).checks.every(({ ok }: { ok: boolean }) => ok)).toBe(true);
  world.oidc.metadata = {
    id_token_signing_alg_values_supported: ['HS256'],
    code_challenge_methods_supported: ['plain'],
  };
  const { checks } = await test_();
  expect(checks.filter((check: { ok: boolean }) => !check.ok).map(({ name }: { name: string }) => name)).toEqual([
    'signatures',
    'pkce',
  ]);
  world.oidc.metadata = {};
  const wrong = { type: 'oidc', issuer: world.oidc.issuer, clientId: 'outrider', clientSecret: 'wrong' };
  await add('wrong', { config: wrong });
  const { json } = await world.ask('POST /v1/auth/providers/wrong/test');
  expect(json.status.checks.at(-1)).toMatchObject({ name: 'credentials', ok: false });
  world.oidc.down = true;
  expect(await test_()).toMatchObject({
    conditions: [{ type: 'Tested', status: 'False' }, {}, {}],
    checks: [{ name: 'discovery', detail: 'the provider answered 503' }],
  });
});

test('an enabled provider is changed only to a form that works, and a secret that is left out stays', async () => {
  const wrong = await world.ask('PATCH /v1/auth/providers/github', {
    spec: { config: { ...config, clientSecret: 'wrong' } },
  });
  expect(outcome(wrong)).toBe('provider_untested');
  const { clientSecret: _kept, ...rest } = config;
  expect(outcome(await world.ask('PATCH /v1/auth/providers/github', { spec: { config: rest } }))).toBe(200);
  const changed = await world.ask('PATCH /v1/auth/providers/github', { spec: { config } });
  expect(changed.json).toMatchObject({ metadata: { generation: 3 }, spec: { enabled: true } });
  expect(changed.json.status.conditions[0]).toMatchObject({
    status: 'True',
    observedGeneration: changed.json.metadata.generation,
  });
  expect((await world.signIn('github', 'octocat')).status).toBe(303);
});

test('an edit of what somebody else has edited meanwhile does not undo that', async () => {
  const before = await findProviderResource(env.DB, 'oidc');
  if (before === null) throw new Error('no provider');
  const access = { mode: 'groups', principals: ['oidc_group://staff'] };
  await world.ask('PATCH /v1/auth/providers/oidc', { spec: { access } });
  const commit = async (statements: D1PreparedStatement[]) => await env.DB.batch(statements);
  const writing = { db: env.DB, commit, now: nowSeconds() };
  const late = { ...before, before, spec: { ...before.spec, displayName: 'Late' } };
  expect(await updateProvider(writing, late, { form: null, checks: null })).toBe('stale');
  for (const write of [enableProvider, disableProvider, retireProvider, removeProvider]) {
    expect(await write(writing, before)).toBe('stale');
  }
  expect(await recordTest(writing, before, [])).toBe('stale');
  const { json } = await world.ask('GET /v1/auth/providers/oidc');
  expect(json).toMatchObject({
    spec: { displayName: 'The oidc', enabled: true, access },
    metadata: { deletedAt: null },
  });
});

test('after a rotation of the key everything is sealed anew, and the old key is needed no more', async () => {
  await world.signIn('github', 'octocat');
  const [old] = JSON.parse(env.SECRETS_KEYS);
  const anew = { id: 'new', key: 'B'.repeat(43) };
  const during = await checkConfig({ ...env, SECRETS_KEYS: JSON.stringify([anew, old]) });
  const after = await checkConfig({ ...env, SECRETS_KEYS: JSON.stringify([anew]) });
  const github = async () => {
    const provider = await findProvider(env.DB, 'github');
    if (provider === null) throw new Error('no provider');
    return provider;
  };
  await expect(openSecrets(after, await github())).rejects.toThrow('cannot be opened');
  expect(await reencrypt(env.DB, during)).toEqual({ reencrypted: 3, left: 0 });
  expect(await openSecrets(after, await github())).toEqual({ clientSecret: 'github-client-secret' });
  expect(await reencrypt(env.DB, during)).toEqual({ reencrypted: 0, left: 0 });
  // The plane of this test has the old key alone, and its operator asks.
  const asked = await ask('POST /v1/setup/reencrypt', { token: await operatorToken() });
  expect(outcome(asked)).toBe('internal');
});

test('nobody signs in by a password where there is no such provider, none that is enabled, or none that takes one', async () => {
  for (const id of ['nowhere', 'oidc']) {
    const body = { username: 'ada', password: 'x' };
    expect(outcome(await ask(`POST /v1/auth/providers/${id}/password`, { body }))).toBe('not_found');
  }
});
