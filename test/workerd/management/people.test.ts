import { env } from 'cloudflare:workers';
import { applyD1Migrations, reset } from 'cloudflare:test';
import { beforeEach, expect, test } from 'vitest';
import { buildSnapshot } from '#workers/access/snapshot.ts';
import { ask, cluster, member, nowSeconds, outcome, person, tokenFor } from './client.ts';

// Checked by taking out, one at a time: the condition on the last administrator, the marking of an administrator's clusters, and the bound on what a token makes. Each time
// the test that names it failed.

let admin: string;
let token: string;
beforeEach(async () => {
  await reset();
  await applyD1Migrations(env.DB, env.MIGRATIONS);
  admin = await person({ administrator: true });
  token = await tokenFor(admin);
});

const add = async (name: string) =>
  await ask('POST /v1/users', { token, body: { metadata: { name }, spec: { password: 'some password 1' } } });

test('a name is taken whatever its case (CVE-2024-58260)', async () => {
  expect((await add('Ada')).json.metadata.name).toBe('ada');
  expect(outcome(await add('ADA'))).toBe('conflict');
});

test.each(['', '-a', 'a-', 'a b', 'a\nb', 'system:admin', 'ä', '<script>', 'a'.repeat(65)])(
  'the name %o is refused, and not reflected as HTML',
  async (username) => {
    const answer = await add(username);
    expect(outcome(answer)).toBe('invalid');
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
  },
);

test('the last administrator who can sign in can neither be disabled nor removed', async () => {
  expect(outcome(await ask(`PATCH /v1/users/${admin}`, { token, body: { spec: { enabled: false } } }))).toBe(
    'conflict',
  );
  expect(outcome(await ask(`DELETE /v1/users/${admin}`, { token }))).toBe('conflict');
  const second = await person({ administrator: true });
  await ask(`PATCH /v1/users/${second}`, { token, body: { spec: { enabled: false } } });
  expect(outcome(await ask(`DELETE /v1/users/${admin}`, { token }))).toBe('conflict');
  await ask(`PATCH /v1/users/${second}`, { token, body: { spec: { enabled: true } } });
  expect(outcome(await ask(`DELETE /v1/users/${admin}`, { token }))).toBe(204);
});

test('two administrators who remove each other at once leave one', async () => {
  const second = await person({ administrator: true });
  const outcomes = await Promise.all([
    ask(`DELETE /v1/users/${admin}`, { token: await tokenFor(second) }),
    ask(`DELETE /v1/users/${second}`, { token }),
  ]);
  const { results } = await env.DB.prepare('SELECT id FROM users WHERE administrator = 1 AND enabled = 1').all();
  expect(results).toHaveLength(1);
  expect(outcomes.filter(({ status }) => status === 204)).toHaveLength(1);
});

test('roles show in the snapshot of their cluster alone', async () => {
  const [first, second, ada] = [await cluster(), await cluster(), await person()];
  const put = await ask(`PUT /v1/clusters/${first}/members/${ada}`, { token, body: { role: 'member' } });
  expect(put.json).toEqual({ user: ada, username: ada, role: 'member' });
  const snapshot = await buildSnapshot(env.DB, first);
  expect(snapshot?.people[ada]?.groups).toEqual(['outrider.dev:cluster-member']);
  expect(Object.keys((await buildSnapshot(env.DB, second))?.people ?? {})).toEqual([admin]);
  await ask(`PUT /v1/clusters/${first}/members/${ada}`, { token, body: { role: 'owner' } });
  const later = await buildSnapshot(env.DB, first);
  expect(later?.people[ada]?.groups).toContain('outrider.dev:cluster-owner');
  expect(later?.version).toBeGreaterThan(snapshot?.version ?? Infinity);
});

test('taking a role or a person away takes it out of every snapshot', async () => {
  const [id, ada] = [await cluster(), await person()];
  await member(id, ada, 'owner');
  expect(outcome(await ask(`DELETE /v1/clusters/${id}/members/${ada}`, { token }))).toBe(204);
  expect((await buildSnapshot(env.DB, id))?.people).not.toHaveProperty(ada);
  expect(outcome(await ask(`DELETE /v1/clusters/${id}/members/${ada}`, { token }))).toBe('not_found');
  await member(id, ada, 'owner');
  await ask(`DELETE /v1/users/${ada}`, { token });
  expect((await buildSnapshot(env.DB, id))?.people).not.toHaveProperty(ada);
});

test('an owner of one cluster gives no role in another (CVE-2022-31247, CVE-2019-14436, GHSA-7m72-mh5r-6j3r)', async () => {
  const [own, other, ada] = [await cluster(), await cluster(), await person()];
  await member(own, ada, 'owner');
  const theirs = await tokenFor(ada);
  expect(
    outcome(await ask(`PUT /v1/clusters/${own}/members/${ada}`, { token: theirs, body: { role: 'member' } })),
  ).toBe(200);
  expect(
    outcome(await ask(`PUT /v1/clusters/${other}/members/${ada}`, { token: theirs, body: { role: 'owner' } })),
  ).toBe('unknown_cluster');
});

test('a role for nobody is refused', async () => {
  const id = await cluster();
  expect(outcome(await ask(`PUT /v1/clusters/${id}/members/u-aaaaaaaaaa`, { token, body: { role: 'owner' } }))).toBe(
    'not_found',
  );
});

test('every change of access marks the clusters that it touches and no other', async () => {
  const [touched, other, ada] = [await cluster(), await cluster(), await person()];
  const version = async (id: string): Promise<unknown> =>
    await env.DB.prepare('SELECT access_version FROM clusters WHERE id = ?').bind(id).first('access_version');
  const changes: (() => Promise<unknown>)[] = [
    async () => await ask(`PUT /v1/clusters/${touched}/members/${ada}`, { token, body: { role: 'member' } }),
    async () => await ask(`PATCH /v1/users/${ada}`, { token, body: { spec: { enabled: false } } }),
    async () => await ask(`PATCH /v1/clusters/${touched}`, { token, body: { metadata: { name: 'renamed' } } }),
    async () => await ask(`DELETE /v1/users/${ada}`, { token }),
  ];
  const untouched = await version(other);
  for (const change of changes) {
    const before = await version(touched);
    await change();
    expect(await version(touched)).toBeGreaterThan(Number(before));
  }
  expect(await version(other)).toBe(untouched);
  await person({ administrator: true });
  expect(await version(other)).toBeGreaterThan(Number(untouched));
});

test('a token is listed without itself, and one that is taken back is in the snapshots it was good for', async () => {
  const [first, second] = [await cluster(), await cluster()];
  const made = await ask('POST /v1/tokens', {
    token,
    body: { spec: { description: 'ci', cluster: first, ttlSeconds: 600 } },
  });
  expect(made.json).toMatchObject({
    kind: 'Token',
    spec: { description: 'ci', cluster: first, readOnly: false },
    status: { type: 'api' },
  });
  const listed = await ask('GET /v1/tokens', { token });
  expect(listed.json.items.map(({ id }: { id: string }) => id)).toEqual([made.json.id]);
  expect(listed.text).not.toContain(made.json.token);
  expect(outcome(await ask(`GET /v1/clusters/${first}`, { token: made.json.token }))).toBe(200);
  expect(outcome(await ask(`DELETE /v1/tokens/${made.json.id}`, { token }))).toBe(204);
  expect(outcome(await ask(`GET /v1/clusters/${first}`, { token: made.json.token }))).toBe('unauthenticated');
  expect((await buildSnapshot(env.DB, first))?.revokedTokens).toHaveProperty(made.json.id);
  expect((await buildSnapshot(env.DB, second))?.revokedTokens).toEqual({});
  expect((await buildSnapshot(env.DB, first, nowSeconds() + 601))?.revokedTokens).toEqual({});
  expect(outcome(await ask(`DELETE /v1/tokens/${made.json.id}`, { token }))).toBe('not_found');
});

test("one cannot see or take back somebody else's token, and an administrator can take it", async () => {
  const [ada, bob] = [await tokenFor(await person()), await tokenFor(await person())];
  const made = await ask('POST /v1/tokens', { token: ada, body: { spec: {} } });
  expect(outcome(await ask(`DELETE /v1/tokens/${made.json.id}`, { token: bob }))).toBe('not_found');
  expect((await ask('GET /v1/tokens', { token: bob })).json.items).toEqual([]);
  expect(outcome(await ask(`DELETE /v1/tokens/${made.json.id}`, { token }))).toBe(204);
});

test.each([{ ttlSeconds: 90 * 86_400 + 1 }, { ttlSeconds: 59 }, { ttlSeconds: 1e99 }, { ttlSeconds: '600' }])(
  'a token of %o is refused',
  async (body) => {
    expect(outcome(await ask('POST /v1/tokens', { token, body: { spec: body } }))).toBe('invalid');
  },
);

test('nobody makes a token for a cluster that they have no role in', async () => {
  const id = await cluster();
  const ada = await tokenFor(await person());
  expect(outcome(await ask('POST /v1/tokens', { token: ada, body: { spec: { cluster: id } } }))).toBe(
    'unknown_cluster',
  );
});

test('a token makes none that outlives it', async () => {
  const short = await ask('POST /v1/tokens', { token, body: { spec: { ttlSeconds: 600 } } });
  const made = await ask('POST /v1/tokens', { token: short.json.token, body: { spec: { ttlSeconds: 86_400 } } });
  expect(made.json.status.expiresAt).toBe(short.json.status.expiresAt);
});

test('a person has a thousand tokens at most, and expired ones make room', async () => {
  const user = await person();
  const theirs = await tokenFor(user);
  await env.DB.prepare(
    `INSERT INTO tokens (id, user_id, kind, description, cluster_id, read_only, created_at, expires_at, access_version)
     WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
     SELECT 't-' || i, ?1, 'api', '', NULL, 0, 0, ?2, 0 FROM n`,
  )
    .bind(user, nowSeconds() + 60)
    .run();
  expect(outcome(await ask('POST /v1/tokens', { token: theirs, body: { spec: {} } }))).toBe('conflict');
  await env.DB.prepare('UPDATE tokens SET expires_at = 1 WHERE user_id = ?1 AND id = ?2').bind(user, 't-1').run();
  expect(outcome(await ask('POST /v1/tokens', { token: theirs, body: { spec: {} } }))).toBe(201);
});
