import { env } from 'cloudflare:workers';
import { applyD1Migrations, reset } from 'cloudflare:test';
import { beforeEach, expect, test } from 'vitest';
import { buildSnapshot } from '#workers/access/snapshot.ts';
import { saysGroups } from '../support/word.ts';
import { ask, cluster, nowSeconds, outcome, person, tokenFor } from './client.ts';

// Checked by taking out, one at a time: `refuseMoreThanOwn` in each handler, `refuseAbove`, the touch of every cluster, the group half of the view, the guard of the roles that every plane has and of
// their names, the version in the store's UPDATE, the end of bindings, and the condition on the role that a binding names. Each time the test that names it failed.

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
  await ask('POST /v1/global-role-bindings', { token, body: { spec: { role, ...to } } });

test('whoever may create clusters owns those that they create, and sees no others', async () => {
  await cluster();
  const token = await tokenFor(ada);
  const create = async () => await ask('POST /v1/clusters', { token, body: { metadata: { name: 'mine' }, spec: {} } });
  expect(outcome(await create())).toBe('forbidden');
  await bind('user', { user: ada });
  const { id } = (await create()).json;
  expect((await ask('GET /v1/clusters', { token })).json.items).toMatchObject([{ id }]);
  expect((await ask(`POST /v1/clusters/${id}/registration-tokens`, { token, body: { spec: {} } })).status).toBe(201);
});

test('a role that was made lets as much as it says, until it is changed or removed', async () => {
  const { id } = (
    await ask('POST /v1/global-roles', {
      token: admin,
      body: {
        metadata: { name: 'Onboarding' },
        spec: { permissions: ['users.manage', 'clusters.create', 'users.manage'] },
      },
    })
  ).json;
  await bind(id, { user: ada });
  const token = await tokenFor(ada);
  expect((await ask('GET /v1/users', { token })).status).toBe(200);
  const change = { token: admin, body: { spec: { permissions: ['clusters.create'] } } };
  expect((await ask(`PATCH /v1/global-roles/${id}`, change)).json.spec.permissions).toEqual(['clusters.create']);
  expect(outcome(await ask('GET /v1/users', { token }))).toBe('forbidden');
  expect(outcome(await ask(`DELETE /v1/global-roles/${id}`, { token: admin }))).toBe(204);
  expect((await ask('GET /v1/global-role-bindings', { token: admin })).json.items).toEqual([]);
});

test('names of roles are taken once, and a role is given once', async () => {
  const make = async () =>
    await ask('POST /v1/global-roles', {
      token: admin,
      body: { metadata: { name: 'Helpers' }, spec: { permissions: [] } },
    });
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
  await env.DB.batch(saysGroups(env.DB, { userId: ada, source: 'activedirectory', groups: [OPS], now: nowSeconds() }));
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
  const make = async (permissions: string[]) =>
    await ask('POST /v1/global-roles', { token, body: { metadata: { name: 'More' }, spec: { permissions } } });
  expect(outcome(await make(['users.manage']))).toBe('forbidden');
  const { id } = (await make(['roles.manage'])).json;
  expect(
    outcome(await ask(`PATCH /v1/global-roles/${id}`, { token, body: { spec: { permissions: ['users.manage'] } } })),
  ).toBe('forbidden');
});

test('attack: who manages roles takes nothing from those who have more', async () => {
  await bind('roles-manage', { user: ada });
  const token = await tokenFor(ada);
  const { id } = (await bind('administrator', { user: await person() })).json;
  expect(outcome(await ask(`DELETE /v1/global-role-bindings/${id}`, { token }))).toBe('forbidden');
  const role = (
    await ask('POST /v1/global-roles', {
      token: admin,
      body: { metadata: { name: 'Authn' }, spec: { permissions: ['authentication.manage'] } },
    })
  ).json;
  expect(outcome(await ask(`DELETE /v1/global-roles/${role.id}`, { token }))).toBe('forbidden');
  for (const body of [
    { spec: { permissions: [] } },
    { metadata: { name: 'Mine' } },
    { metadata: { finalizers: ['a.example/one'] } },
  ]) {
    expect(outcome(await ask(`PATCH /v1/global-roles/${role.id}`, { token, body }))).toBe('forbidden');
  }
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

test('the roles that every plane has are listed with those that were made, in pages, and each is found by its id', async () => {
  const make = { metadata: { name: 'create backups' }, spec: { permissions: [], description: 'nothing yet' } };
  const made = (await ask('POST /v1/global-roles', { token: admin, body: make })).json;
  await bind('administrator', { group: OPS });
  await bind('administrator', { user: ada });
  const token = await tokenFor(ada);
  const seen: any[] = [];
  for (let next: string | null = ''; next !== null;) {
    const page = await ask(`GET /v1/global-roles?limit=3${next === '' ? '' : `&continue=${next}`}`, { token });
    seen.push(...page.json.items);
    next = page.json.continue;
  }
  expect(seen.map(({ id }) => id)).toEqual([
    'administrator',
    made.id,
    'clusters-create',
    'authentication-manage',
    'catalogs-manage',
    'roles-manage',
    'settings-manage',
    'users-manage',
    'user',
    'user-base',
  ]);
  for (const role of seen) expect((await ask(`GET /v1/global-roles/${role.id}`, { token })).json).toEqual(role);
  // The administrator by their account, and Ada.
  expect(seen[0]).toMatchObject({ status: { builtIn: true, users: 2, groups: 1 } });
  expect(seen[1]).toEqual(made);
  const list = async (query: string) => (await ask(`GET /v1/global-roles?${query}`, { token })).json.items;
  expect(await list('builtIn=false')).toEqual([made]);
  expect(await list('name=USER+base&fields=metadata.name')).toEqual([
    { id: 'user-base', metadata: { name: 'User base' } },
  ]);
});

test('a role that every plane has is neither changed, removed, nor passed for by one that was made', async () => {
  const refused = [
    await ask('PATCH /v1/global-roles/user', { token: admin, body: { spec: { permissions: ['users.manage'] } } }),
    await ask('PATCH /v1/global-roles/user-base', { token: admin, body: { metadata: { name: 'Everybody' } } }),
    await ask('PATCH /v1/global-roles/user', { token: admin, body: { metadata: { finalizers: ['a.example/one'] } } }),
    await ask('DELETE /v1/global-roles/administrator', { token: admin }),
  ];
  expect(refused.map(outcome)).toEqual(Array.from(refused, () => 'conflict'));
  expect(refused[3]?.json.detail).toBe('every plane has this role as it is; make one of your own instead');
  const make = async (name: string) =>
    await ask('POST /v1/global-roles', { token: admin, body: { metadata: { name }, spec: { permissions: [] } } });
  expect(outcome(await make('ADMINISTRATOR'))).toBe('conflict');
  const { id } = (await make('Helpers')).json;
  const rename = { token: admin, body: { metadata: { name: 'Standard User' } } };
  expect(outcome(await ask(`PATCH /v1/global-roles/${id}`, rename))).toBe('conflict');
});

test('a role that is being removed lets nobody do anything, and is given to nobody', async () => {
  const body = {
    metadata: { name: 'Helpers' },
    spec: { permissions: ['users.manage'] },
  };
  const { id } = (await ask('POST /v1/global-roles', { token: admin, body })).json;
  await bind(id, { user: ada });
  const token = await tokenFor(ada);
  const wait = { token: admin, body: { metadata: { finalizers: ['a.example/one'] } } };
  await ask(`PATCH /v1/global-roles/${id}`, wait);
  expect((await ask('GET /v1/users', { token })).status).toBe(200);
  expect(outcome(await ask(`DELETE /v1/global-roles/${id}`, { token: admin }))).toBe(204);
  expect(outcome(await ask('GET /v1/users', { token }))).toBe('forbidden');
  expect(outcome(await bind(id, { user: ada }))).toBe('conflict');
  await ask(`PATCH /v1/global-roles/${id}`, { token: admin, body: { metadata: { finalizers: [] } } });
  expect(outcome(await ask(`GET /v1/global-roles/${id}`, { token: admin }))).toBe('not_found');
});

test('of two who change a role one is told to look again, and its permissions are of one of them', async () => {
  const body = { metadata: { name: 'Helpers' }, spec: { permissions: [] } };
  const { id, metadata } = (await ask('POST /v1/global-roles', { token: admin, body })).json;
  const both = await Promise.all(
    ['users.manage', 'settings.manage'].map(
      async (permission) =>
        await ask(`PATCH /v1/global-roles/${id}`, {
          token: admin,
          body: { metadata: { resourceVersion: metadata.resourceVersion }, spec: { permissions: [permission] } },
        }),
    ),
  );
  expect(new Set(both.map(outcome))).toEqual(new Set([200, 'conflict']));
  const winner = both.find(({ status }) => status === 200);
  expect((await ask(`GET /v1/global-roles/${id}`, { token: admin })).json).toEqual(winner?.json);
});

// Tried without the revocation: the tokens could still be used.
test.each(['user', 'group'])(
  'who is an administrator no more, by a %s, loses the registration tokens that they made',
  async (by) => {
    const id = await cluster();
    await env.DB.batch(
      saysGroups(env.DB, { userId: ada, source: 'activedirectory', groups: [OPS], now: nowSeconds() }),
    );
    const binding = (await bind('administrator', by === 'user' ? { user: ada } : { group: OPS })).json;
    const made = await ask(`POST /v1/clusters/${id}/registration-tokens`, {
      token: await tokenFor(ada),
      body: { spec: {} },
    });
    expect(made.status).toBe(201);
    await ask(`DELETE /v1/global-role-bindings/${binding.id}`, { token: admin });
    expect((await ask(`GET /v1/clusters/${id}/registration-tokens`, { token: admin })).json.items).toEqual([]);
  },
);

test('who has a role is listed in pages, by role, person and group, and does not change', async () => {
  const bob = await person();
  const made = [
    (await bind('user', { user: ada })).json,
    (await bind('user', { group: OPS })).json,
    (await bind('users-manage', { user: bob })).json,
  ];
  expect(made[0]).toMatchObject({
    kind: 'GlobalRoleBinding',
    spec: { role: 'user', user: ada, group: null },
    status: { conditions: [] },
  });
  const list = async (query: string): Promise<Set<string>> => {
    const { json } = await ask(`GET /v1/global-role-bindings?${query}`, { token: admin });
    return new Set(json.items.map(({ id }: any) => id));
  };
  const ids = (...places: number[]) => new Set(places.map((place) => made[place].id));
  expect(await list('')).toEqual(ids(0, 1, 2));
  expect(await list('role=user')).toEqual(ids(0, 1));
  expect(await list(`user=${bob}`)).toEqual(ids(2));
  expect(await list(`role=user&group=${encodeURIComponent(OPS)}`)).toEqual(ids(1));
  const { continue: next } = (await ask('GET /v1/global-role-bindings?limit=2', { token: admin })).json;
  const [one, two] = [await list('limit=2'), await list(`limit=2&continue=${next}`)];
  expect([one.size, two.size]).toEqual([2, 1]);
  expect(new Set([...one, ...two])).toEqual(ids(0, 1, 2));
  const { bindings } = (await ask('GET /v1/global-roles/user', { token: admin })).json.links;
  expect((await ask(`GET ${bindings}`, { token: admin })).json.items).toHaveLength(2);
  const path = `/v1/global-role-bindings/${made[0].id}`;
  expect((await ask(`GET ${path}`, { token: admin })).json).toEqual(made[0]);
  expect((await ask(`PATCH ${path}`, { token: admin, body: { spec: { role: 'administrator' } } })).status).toBe(405);
});
