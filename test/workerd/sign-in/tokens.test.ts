import { env } from 'cloudflare:workers';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { expect, test, vi } from 'vitest';
import { newTokenId, newUserId } from '#schema/ids.ts';
import { admitAddress, admitToken } from '#workers/api/request-rate.ts';
import { readToken, removeToken } from '#workers/store/kinds/tokens.ts';
import { recordUse } from '#workers/store/sign-in/tokens.ts';
import {
  administrator,
  ask,
  cluster,
  member,
  nowSeconds,
  ORIGIN,
  outcome,
  person,
  tokenFor,
} from '../management/client.ts';
import { PASSWORD, personWithPassword, sessionOf } from './browser.ts';

// Checked by taking out the bound of `allowedTtl`, the condition on not_before in `good`, and that of `recordUse`: each time the test that names it failed.

const DAY = 86_400;
const secondsLeft = (moment: string): number => Math.round(Date.parse(moment) / 1000 - nowSeconds());

test('settings have defaults, change one by one, and take nothing that they do not know', async () => {
  const token = await administrator();
  const settings = async () => (await ask('GET /v1/settings', { token })).json;
  const defaults = {
    maxTokenTtlSeconds: 90 * DAY,
    sessionTtlSeconds: 16 * 3600,
    sessionIdleSeconds: 7200,
    maxPasswordAgeSeconds: null,
  };
  expect(await settings()).toEqual(defaults);
  const change = async (body: object) => outcome(await ask('PATCH /v1/settings', { token, body }));
  expect(await change({ sessionIdleSeconds: 3600 })).toBe(200);
  expect(await settings()).toEqual({ ...defaults, sessionIdleSeconds: 3600 });
  for (const body of [
    { maxTokenTtlSeconds: 0 },
    { maxTokenTtlSeconds: 10 * 366 * DAY },
    { maxTokenTtlSeconds: '3600' },
    { maxTokenTtlSeconds: null },
    { sessionIdleSeconds: 1 },
    { maxPasswordAgeSeconds: 3600 },
    { maxPasswordAgeSeconds: 3661 * DAY },
    { sessionTtlSeconds: 1e9 },
    { unknown: 1 },
    { __proto__: { maxTokenTtlSeconds: 1 }, constructor: 1 },
  ]) {
    expect([body, await change(body)]).toEqual([body, 'invalid']);
  }
  expect(await settings()).toEqual({ ...defaults, sessionIdleSeconds: 3600 });
  expect(await change({ sessionIdleSeconds: 7200 })).toBe(200);
});

test('no token lives longer than the setting, and none for ever', async () => {
  const token = await administrator();
  const target = await cluster();
  await ask('PATCH /v1/settings', { token, body: { maxTokenTtlSeconds: 3600 } });
  const make = async (spec: object) => await ask('POST /v1/tokens', { token: await tokenFor(owner), body: { spec } });
  const owner = await person();
  await member(target, owner, 'owner');
  expect(outcome(await make({ ttlSeconds: 3601 }))).toBe('invalid');
  expect(outcome(await make({ ttlSeconds: 0 }))).toBe('invalid');
  expect(outcome(await make({ ttlSeconds: null }))).toBe('invalid');
  expect(secondsLeft((await make({ ttlSeconds: 3600 })).json.status.expiresAt)).toBeLessThanOrEqual(3600);
  // What is not asked for is the default, or what the setting leaves of it.
  expect(secondsLeft((await make({})).json.status.expiresAt)).toBeLessThanOrEqual(3600);
  const kubeconfig = async (query: string) =>
    await ask(`GET /v1/clusters/${target}/kubeconfig${query}`, { token: await tokenFor(owner) });
  expect(outcome(await kubeconfig('?ttl=3601'))).toBe('invalid');
  expect(outcome(await kubeconfig(''))).toBe(200);
  await ask('PATCH /v1/settings', { token, body: { maxTokenTtlSeconds: 90 * DAY } });
  expect(secondsLeft((await make({})).json.status.expiresAt)).toBeGreaterThan(29 * DAY);
});

test('a token is a resource without a name, that nobody changes', async () => {
  const [user, target] = [await person(), await cluster()];
  await member(target, user, 'member');
  const own = await tokenFor(user);
  const spec = { description: 'ci', cluster: target, readOnly: true };
  const made = await ask('POST /v1/tokens', { token: own, body: { spec: { ...spec, ttlSeconds: 600 } } });
  const { token, ...resource } = made.json;
  expect(token).toMatch(/^ey/);
  const { id } = resource;
  expect(resource).toEqual({
    id: expect.stringMatching(/^t-/),
    kind: 'Token',
    metadata: {
      generation: 1,
      resourceVersion: '1',
      createdAt: expect.any(String),
      finalizers: [],
      deletedAt: null,
    },
    spec,
    status: {
      type: 'api',
      user,
      expiresAt: expect.any(String),
      lastUsedAt: null,
      lastUsedFrom: null,
      conditions: [],
    },
    links: { self: `/v1/tokens/${id}` },
  });
  expect(Date.parse(resource.status.expiresAt) - Date.parse(resource.metadata.createdAt)).toBe(600_000);
  const path = `/v1/tokens/${id}`;
  expect((await ask(`GET ${path}`, { token: own })).json).toEqual(resource);
  expect(outcome(await ask(`PATCH ${path}`, { token: own, body: { spec: { readOnly: false } } }))).toBe(
    'method_not_allowed',
  );
  const names = await ask('POST /v1/tokens', { token: own, body: { metadata: { name: 'ci' }, spec: {} } });
  expect(outcome(names)).toBe('invalid');
});

// Checked by taking out, one at a time: the condition on whose it is in `good`, that on `revoked_at`, and the version in `removeToken`. Each time this test failed.
test('a token is found by whose it is and by administrators, while it is good, and taken back as it was seen', async () => {
  const [ada, bob, administrators] = [
    await tokenFor(await person()),
    await tokenFor(await person()),
    await administrator(),
  ];
  const made = await ask('POST /v1/tokens', { token: ada, body: { spec: {} } });
  const path = `/v1/tokens/${made.json.id}`;
  const seen = made.headers.get('etag') ?? '';
  expect(outcome(await ask(`GET ${path}`, { token: bob }))).toBe('not_found');
  expect((await ask(`GET ${path}`, { token: administrators })).json.id).toBe(made.json.id);
  await recordUse(env.DB, { id: made.json.id, from: null, now: nowSeconds() });
  const used = await ask(`GET ${path}`, { token: ada });
  expect(used.headers.get('etag')).not.toBe(seen);
  expect(outcome(await ask(`DELETE ${path}`, { token: ada, headers: { 'If-Match': seen } }))).toBe(
    'precondition_failed',
  );
  const before = await readToken(env.DB, made.json.id, { userId: null, now: nowSeconds() });
  const stale = { ...before!, resourceVersion: 1 };
  const writing = {
    db: env.DB,
    commit: async (all: D1PreparedStatement[]) => await env.DB.batch(all),
    now: nowSeconds(),
  };
  expect(await removeToken(writing, stale)).toBe('stale');
  const good = { token: ada, headers: { 'If-Match': used.headers.get('etag') ?? '' } };
  expect(outcome(await ask(`DELETE ${path}`, good))).toBe(204);
  for (const token of [ada, administrators]) expect(outcome(await ask(`GET ${path}`, { token }))).toBe('not_found');
  expect(outcome(await ask(`DELETE ${path}`, { token: ada }))).toBe('not_found');
});

test('a token is shown once, and kept nowhere', async () => {
  const user = await person();
  const own = await tokenFor(user);
  const made = await ask('POST /v1/tokens', { token: own, body: { spec: { description: 'mine' } } });
  const [, , signature = ''] = made.json.token.split('.');
  expect((await ask('GET /v1/tokens', { token: own })).text).not.toContain(signature);
  const rows = await env.DB.prepare('SELECT * FROM tokens WHERE id = ?').bind(made.json.id).all();
  expect(rows.results).toHaveLength(1);
  expect(JSON.stringify(rows.results)).not.toContain(signature);
});

test('when and whence a token was last used is told, and written once in several minutes', async () => {
  const user = await person();
  const own = await tokenFor(user);
  const { json } = await ask('POST /v1/tokens', { token: own, body: { spec: {} } });
  expect(json.status).toMatchObject({ lastUsedAt: null, lastUsedFrom: null });
  const listed = async () => (await ask('GET /v1/tokens', { token: own })).json.items[0].status;
  await ask('GET /v1/me', { token: json.token, headers: { 'cf-connecting-ip': '2001:db8:1:2::3' } });
  await vi.waitFor(async () => expect(await listed()).toMatchObject({ lastUsedFrom: '2001:db8:1:2::/64' }));
  await ask('GET /v1/me', { token: json.token, headers: { 'cf-connecting-ip': '192.0.2.1' } });
  // Another isolate, which has not noted anything yet, is held by the database.
  await recordUse(env.DB, { id: json.id, from: '192.0.2.2', now: nowSeconds() + 200 });
  expect(await listed()).toMatchObject({ lastUsedFrom: '2001:db8:1:2::/64' });
  await recordUse(env.DB, { id: json.id, from: '192.0.2.2', now: nowSeconds() + 400 });
  expect(await listed()).toMatchObject({ lastUsedFrom: '192.0.2.2' });
});

test('an administrator lists a person’s tokens, and takes all of them back: sessions, API tokens and kubeconfigs', async () => {
  const token = await administrator();
  const { id: user, username } = await personWithPassword();
  const target = await cluster();
  await member(target, user, 'member');
  const session = await sessionOf(user);
  const api = await ask('POST /v1/tokens', { token: session.token, body: { spec: { description: 'api' } } });
  await ask(`GET /v1/clusters/${target}/kubeconfig`, { token: session.token });
  const list = async () => (await ask(`GET /v1/users/${user}/tokens`, { token })).json.items;
  expect((await list()).map(({ status }: any) => status.type).toSorted()).toEqual(['api', 'kubeconfig', 'session']);
  expect(outcome(await ask(`DELETE /v1/users/${user}/tokens`, { token }))).toBe(204);
  expect(await list()).toEqual([]);
  for (const old of [session.token, api.json.token]) {
    expect(outcome(await ask('GET /v1/me', { token: old }))).toBe('unauthenticated');
  }
  // In this very second a sign-in is good again.
  const again = await ask('POST /v1/auth/local', { body: { username, password: PASSWORD } });
  expect(outcome(await ask('GET /v1/me', { token: again.json.token }))).toBe(200);
  expect(await list()).toHaveLength(1);
});

test('nobody but an administrator lists or ends what is somebody else’s, and nobody is nobody', async () => {
  const [user, other] = [await person(), await person()];
  const token = await tokenFor(other);
  expect(outcome(await ask(`GET /v1/users/${user}/tokens`, { token }))).toBe('forbidden');
  expect(outcome(await ask(`DELETE /v1/users/${user}/tokens`, { token }))).toBe('forbidden');
  const admin = await administrator();
  expect(outcome(await ask(`GET /v1/users/${newUserId()}/tokens`, { token: admin }))).toBe('not_found');
  expect(outcome(await ask(`DELETE /v1/users/${newUserId()}/tokens`, { token: admin }))).toBe('not_found');
});

test('who may manage people does not end the tokens of who may do more', async () => {
  const [helper, user] = [await person(), await person()];
  const admin = await administrator();
  await ask('POST /v1/global-role-bindings', { token: admin, body: { spec: { role: 'users-manage', user: helper } } });
  const token = await tokenFor(helper);
  const { json } = await ask('GET /v1/me', { token: admin });
  expect(outcome(await ask(`DELETE /v1/users/${json.user.id}/tokens`, { token }))).toBe('forbidden');
  expect(outcome(await ask('GET /v1/me', { token: admin }))).toBe(200);
  expect(outcome(await ask(`DELETE /v1/users/${user}/tokens`, { token }))).toBe(204);
});

test('signing out revokes the token by which one does, and no other', async () => {
  const session = await sessionOf(await person());
  const made = await ask('POST /v1/tokens', { token: session.token, body: { spec: {} } });
  expect((await ask('POST /v1/auth/logout', { token: made.json.token })).status).toBe(204);
  expect(outcome(await ask('GET /v1/me', { token: made.json.token }))).toBe('unauthenticated');
  expect(outcome(await ask('GET /v1/me', { token: session.token }))).toBe(200);
});

test('a token on no list is not said to be revoked', async () => {
  expect(outcome(await ask('POST /v1/auth/logout', { token: await tokenFor(await person()) }))).toBe('not_found');
});

test('anybody can check a token by the plane’s public keys, and gets no private half', async () => {
  const answer = await ask('GET /v1/auth/jwks');
  expect(answer.text).not.toContain('"d"');
  const token = await tokenFor(await person(), { token: newTokenId() });
  const { payload } = await jwtVerify(token, createLocalJWKSet(answer.json), { issuer: ORIGIN, audience: 'outrider' });
  expect(payload.sub).toMatch(/^u-/);
});

test('a token that asks too often is told how long to wait, and others are answered', async () => {
  const user = await person();
  const [busy, quiet] = [newTokenId(), newTokenId()];
  const token = await tokenFor(user, { token: busy });
  // The Worker's own count: this test is in its isolate. What is spent ahead of the clock does not come back while it runs.
  const ahead = Date.now() + 60_000;
  for (let i = 0; i < 1_000; i++) admitToken(busy, ahead);
  const refused = await ask('GET /v1/me', { token });
  expect([refused.status, outcome(refused), refused.headers.get('retry-after')]).toEqual([429, 'overloaded', '1']);
  expect(outcome(await ask('GET /v1/me', { token: await tokenFor(user, { token: quiet }) }))).toBe(200);
});

test('an address that asks too often is told so, whoever it says to be', async () => {
  const ahead = Date.now() + 60_000;
  for (let i = 0; i < 2_000; i++) admitAddress('192.0.2.200', ahead);
  const headers = { 'cf-connecting-ip': '192.0.2.200' };
  for (const path of ['/v1/auth/jwks', '/login', '/v1/me', '/v1/nothing']) {
    expect((await ask(`GET ${path}`, { headers })).status).toBe(429);
  }
  expect((await ask('GET /v1/auth/jwks', { headers: { 'cf-connecting-ip': '192.0.2.201' } })).status).toBe(200);
});
