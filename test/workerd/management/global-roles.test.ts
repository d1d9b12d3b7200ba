import { env } from 'cloudflare:workers';
import { applyD1Migrations, reset } from 'cloudflare:test';
import { beforeEach, expect, test } from 'vitest';
import { buildSnapshot } from '#workers/access/snapshot.ts';
import { replaceGroups } from '#workers/store/rights/groups.ts';
import { ask, cluster, nowSeconds, outcome, person, tokenFor } from './client.ts';

// Checked by taking out, one at a time: `refuseMoreThanOwn` in each handler, `refuseAbove`, the touch of every cluster, and the group half of the view. Each time the test that names it failed.

const OPS = 'activedirectory_group://6d0c1f5e-0000-4000-8000-000000000001';

let admin: string;
let ada: string;
beforeEach(async () => {
  await reset();
  await applyD1Migrations(env.DB, env.MIGRATIONS);
  admin = await tokenFor(await person({ administrator: true }));
  ada = await person();
});

const bind = async (role: string, to: { user?: string; group?: string }, token = admin) =>
  await ask('POST /v1/global-role-bindings', { token, body: { role, ...to } });

test('whoever may create clusters owns those that they create, and sees no others', async () => {
  await cluster();
  const token = await tokenFor(ada);
  const create = async () => await ask('POST /v1/clusters', { token, body: { name: 'mine' } });
  expect(outcome(await create())).toBe('forbidden');
  await bind('user', { user: ada });
  const { id } = (await create()).json;
  expect((await ask('GET /v1/clusters', { token })).json.items).toMatchObject([{ id }]);
  expect((await ask(`POST /v1/clusters/${id}/registration-tokens`, { token, body: {} })).status).toBe(201);
});

test('a role that was made lets as much as it says, until it is changed or removed', async () => {
  const { id } = (
    await ask('POST /v1/global-roles', {
      token: admin,
      body: { name: 'Onboarding', permissions: ['users.manage', 'clusters.create', 'users.manage'] },
    })
  ).json;
  await bind(id, { user: ada });
  const token = await tokenFor(ada);
  expect((await ask('GET /v1/users', { token })).status).toBe(200);
  const change = { token: admin, body: { permissions: ['clusters.create'] } };
  expect((await ask(`PATCH /v1/global-roles/${id}`, change)).json.permissions).toEqual(['clusters.create']);
  expect(outcome(await ask('GET /v1/users', { token }))).toBe('forbidden');
  expect(outcome(await ask(`DELETE /v1/global-roles/${id}`, { token: admin }))).toBe(204);
  expect((await ask('GET /v1/global-role-bindings', { token: admin })).json.items).toEqual([]);
});

test('names of roles are taken once, and a role is given once', async () => {
  const make = async () =>
    await ask('POST /v1/global-roles', { token: admin, body: { name: 'Helpers', permissions: [] } });
  expect((await make()).status).toBe(201);
  expect(outcome(await make())).toBe('conflict');
  expect((await bind('user', { user: ada })).status).toBe(201);
  expect(outcome(await bind('user', { user: ada }))).toBe('conflict');
  expect(outcome(await bind('no-such-role', { user: ada }))).toBe('not_found');
  expect(outcome(await bind('user', {}))).toBe('invalid');
  expect(outcome(await bind('user', { user: ada, group: OPS }))).toBe('invalid');
});

test('administrators by a group are owners of every cluster, and their clusters hear when they are no more', async () => {
  const id = await cluster();
  const version = async () =>
    await env.DB.prepare('SELECT access_version FROM clusters WHERE id = ?1').bind(id).first('access_version');
  await env.DB.batch(
    replaceGroups(env.DB, { userId: ada, source: 'activedirectory', groups: [OPS], now: nowSeconds() }),
  );
  const token = await tokenFor(ada);
  expect(outcome(await ask('GET /v1/global-role-bindings', { token }))).toBe('forbidden');
  const binding = (await bind('administrator', { group: OPS })).json;
  expect((await ask('GET /v1/global-role-bindings', { token })).status).toBe(200);
  expect((await buildSnapshot(env.DB, id))?.people[ada]?.groups).toContain('outrider.dev:cluster-owner');
  const before = await version();
  expect(outcome(await ask(`DELETE /v1/global-role-bindings/${binding.id}`, { token: admin }))).toBe(204);
  expect((await buildSnapshot(env.DB, id))?.people[ada]).toBeUndefined();
  expect(await version()).not.toBe(before);
  expect(outcome(await ask('GET /v1/global-role-bindings', { token }))).toBe('forbidden');
});

test('attack: who manages roles gives nobody, themselves included, what they do not have', async () => {
  await bind('roles-manage', { user: ada });
  const token = await tokenFor(ada);
  const bob = await person();
  expect(outcome(await bind('administrator', { user: ada }, token))).toBe('forbidden');
  expect(outcome(await bind('administrator', { group: OPS }, token))).toBe('forbidden');
  expect(outcome(await bind('users-manage', { user: bob }, token))).toBe('forbidden');
  expect((await bind('roles-manage', { user: bob }, token)).status).toBe(201);
  const more = { name: 'More', permissions: ['users.manage'] };
  expect(outcome(await ask('POST /v1/global-roles', { token, body: more }))).toBe('forbidden');
  const { id } = (await ask('POST /v1/global-roles', { token, body: { ...more, permissions: ['roles.manage'] } })).json;
  expect(outcome(await ask(`PATCH /v1/global-roles/${id}`, { token, body: more }))).toBe('forbidden');
});

test('attack: who manages roles takes nothing from those who have more', async () => {
  await bind('roles-manage', { user: ada });
  const token = await tokenFor(ada);
  const { id } = (await bind('administrator', { user: await person() })).json;
  expect(outcome(await ask(`DELETE /v1/global-role-bindings/${id}`, { token }))).toBe('forbidden');
  const role = (
    await ask('POST /v1/global-roles', {
      token: admin,
      body: { name: 'Authn', permissions: ['authentication.manage'] },
    })
  ).json;
  expect(outcome(await ask(`DELETE /v1/global-roles/${role.id}`, { token }))).toBe('forbidden');
  expect(outcome(await ask(`PATCH /v1/global-roles/${role.id}`, { token, body: { permissions: [] } }))).toBe(
    'forbidden',
  );
});

test('attack: who manages people makes no administrator, and touches none', async () => {
  await bind('users-manage', { user: ada });
  const token = await tokenFor(ada);
  const add = async (administrator: boolean) =>
    await ask('POST /v1/users', {
      token,
      body: { metadata: { name: 'eve' }, spec: { password: 'some password 1', administrator } },
    });
  expect(outcome(await add(true))).toBe('forbidden');
  const [other, helper] = [await person({ administrator: true }), await person()];
  await bind('roles-manage', { user: helper });
  for (const above of [other, helper]) {
    expect(outcome(await ask(`PATCH /v1/users/${above}`, { token, body: { spec: { enabled: false } } }))).toBe(
      'forbidden',
    );
    expect(outcome(await ask(`DELETE /v1/users/${above}`, { token }))).toBe('forbidden');
  }
  const { id } = (await add(false)).json;
  expect((await ask(`PATCH /v1/users/${id}`, { token, body: { spec: { enabled: false } } })).status).toBe(200);
});
