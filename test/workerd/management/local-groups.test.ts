import { env } from 'cloudflare:workers';
import { applyD1Migrations, reset } from 'cloudflare:test';
import { beforeEach, expect, test } from 'vitest';
import { buildSnapshot } from '#workers/access/snapshot.ts';
import { saysGroups } from '../support/word.ts';
import { ask, cluster, nowSeconds, outcome, person, tokenFor } from './client.ts';

// Checked by taking out, one at a time: the refusal of stronger groups, the touch in each change of membership, the bound, and the removal of what was given to a group. Each time the test that
// names it failed.

let token: string;
let ada: string;
beforeEach(async () => {
  await reset();
  await applyD1Migrations(env.DB, env.MIGRATIONS);
  token = await tokenFor(await person({ administrator: true }));
  ada = await person();
});

const add = async (name = 'Ops', by = token): Promise<string> =>
  (await ask('POST /v1/groups', { token: by, body: { metadata: { name }, spec: {} } })).json.id;
const join = async (group: string, user = ada, by = token) =>
  await ask(`PUT /v1/groups/${group}/members/${user}`, { token: by });
const leave = async (group: string, user = ada, by = token) =>
  await ask(`DELETE /v1/groups/${group}/members/${user}`, { token: by });
const principal = (group: string): string => `local_group://${group}`;
const give = async (id: string, group: string, role = 'member') =>
  await ask(`PUT /v1/clusters/${id}/groups`, { token, body: { group: principal(group), role } });
const version = async (id: string): Promise<number> =>
  Number(await env.DB.prepare('SELECT access_version FROM clusters WHERE id = ?').bind(id).first('access_version'));

test('people join and leave, once each, and both sides say so', async () => {
  const group = await add();
  expect((await join(group)).json).toEqual({ user: ada, username: ada });
  expect(outcome(await join(group))).toBe(200);
  const bob = await person();
  await join(group, bob);
  expect((await ask(`GET /v1/groups/${group}`, { token })).json.status.members).toBe(2);
  const members = await ask(`GET /v1/groups/${group}/members?limit=1`, { token });
  const rest = await ask(`GET /v1/groups/${group}/members?limit=1&continue=${members.json.continue}`, { token });
  const both = [...members.json.items, ...rest.json.items].map((item: any) => item.user);
  expect(both).toEqual([ada, bob].toSorted());
  await env.DB.batch(
    saysGroups(env.DB, { userId: ada, source: 'github', groups: ['github_team://7'], now: nowSeconds() }),
  );
  expect((await ask(`GET /v1/users/${ada}/groups`, { token })).json.items).toEqual([
    { principal: 'github_team://7', source: 'github' },
    { principal: principal(group), source: 'local' },
  ]);
  expect(outcome(await leave(group))).toBe(204);
  expect(outcome(await leave(group))).toBe('not_found');
  expect((await ask(`GET /v1/users/${ada}/groups?source=local`, { token })).json.items).toEqual([]);
});

test('only who is there joins what is there', async () => {
  const group = await add();
  expect(outcome(await join(group, 'u-aaaaaaaaaa'))).toBe('not_found');
  expect(outcome(await join('g-aaaaaaaaaa'))).toBe('not_found');
  expect(outcome(await ask('GET /v1/groups/g-aaaaaaaaaa/members', { token }))).toBe('not_found');
  expect(outcome(await ask('GET /v1/users/u-aaaaaaaaaa/groups', { token }))).toBe('not_found');
  await ask(`PATCH /v1/groups/${group}`, { token, body: { metadata: { finalizers: ['a.example/one'] } } });
  await ask(`DELETE /v1/groups/${group}`, { token });
  expect(outcome(await join(group))).toBe('not_found');
});

test('what a group is given in a cluster its members have, from when they join to when they leave', async () => {
  const [id, other, group] = [await cluster(), await cluster(), await add()];
  await give(id, group);
  const [before, elsewhere] = [await version(id), await version(other)];
  await join(group);
  const joined = await version(id);
  expect(joined).toBeGreaterThan(before);
  expect((await buildSnapshot(env.DB, id))?.people[ada]?.groups).toContain(principal(group));
  expect(outcome(await ask(`GET /v1/clusters/${id}`, { token: await tokenFor(ada) }))).toBe(200);
  await leave(group);
  expect(await version(id)).toBeGreaterThan(joined);
  expect((await buildSnapshot(env.DB, id))?.people).not.toHaveProperty(ada);
  expect(await version(other)).toBe(elsewhere);
});

test.each([
  ['removed', []],
  ['being removed', ['a.example/one']],
])('a group that is %s gives nobody anything, and its clusters hear', async (_what, finalizers) => {
  const [id, group] = [await cluster(), await add()];
  await give(id, group, 'owner');
  await ask('POST /v1/global-role-bindings', {
    token,
    body: { spec: { role: 'users-manage', group: principal(group) } },
  });
  await join(group);
  const theirs = await tokenFor(ada);
  const registration = await ask(`POST /v1/clusters/${id}/registration-tokens`, { token: theirs, body: { spec: {} } });
  expect(registration.status).toBe(201);
  await ask(`PATCH /v1/groups/${group}`, { token, body: { metadata: { finalizers } } });
  const before = await version(id);
  expect(outcome(await ask(`DELETE /v1/groups/${group}`, { token }))).toBe(204);
  expect(await version(id)).toBeGreaterThan(before);
  expect((await buildSnapshot(env.DB, id))?.people).not.toHaveProperty(ada);
  expect(outcome(await ask('GET /v1/users', { token: theirs }))).toBe('forbidden');
  expect((await ask(`GET /v1/clusters/${id}/registration-tokens`, { token })).json.items).toEqual([]);
  for (const table of ['user_groups', 'cluster_groups', 'global_role_bindings']) {
    const left = await env.DB.prepare(`SELECT count(*) AS n FROM ${table} WHERE group_principal = ?`)
      .bind(principal(group))
      .first('n');
    expect([table, left]).toEqual([table, 0]);
  }
});

test('a member who leaves loses the registration tokens that they made as an owner by the group', async () => {
  const [id, group] = [await cluster(), await add()];
  await give(id, group, 'owner');
  await join(group);
  await ask(`POST /v1/clusters/${id}/registration-tokens`, { token: await tokenFor(ada), body: { spec: {} } });
  await leave(group);
  expect((await ask(`GET /v1/clusters/${id}/registration-tokens`, { token })).json.items).toEqual([]);
});

test('a removed person is in no group', async () => {
  const group = await add();
  await join(group);
  await ask(`DELETE /v1/users/${ada}`, { token });
  expect((await ask(`GET /v1/groups/${group}`, { token })).json.status.members).toBe(0);
});

test('attack: who manages people puts nobody, themselves included, into a group that gives more than they have', async () => {
  await ask('POST /v1/global-role-bindings', { token, body: { spec: { role: 'users-manage', user: ada } } });
  const theirs = await tokenFor(ada);
  const own = await add('Own', theirs);
  expect(outcome(await join(own, ada, theirs))).toBe(200);
  const [admins, makers, owners] = [await add('Admins'), await add('Makers'), await add('Owners')];
  await ask('POST /v1/global-role-bindings', {
    token,
    body: { spec: { role: 'administrator', group: principal(admins) } },
  });
  await ask('POST /v1/global-role-bindings', { token, body: { spec: { role: 'user', group: principal(makers) } } });
  await give(await cluster(), owners, 'read-only');
  for (const group of [admins, makers, owners]) {
    expect(outcome(await join(group, ada, theirs))).toBe('forbidden');
    expect(outcome(await leave(group, ada, theirs))).toBe('forbidden');
    expect(outcome(await ask(`DELETE /v1/groups/${group}`, { token: theirs }))).toBe('forbidden');
    expect(
      outcome(await ask(`PATCH /v1/groups/${group}`, { token: theirs, body: { metadata: { name: 'Nice' } } })),
    ).toBe('forbidden');
  }
  expect((await ask(`GET /v1/users/${ada}/groups`, { token })).json.items).toEqual([
    { principal: principal(own), source: 'local' },
  ]);
});

test('a person is in 256 groups that are kept here at most, so that a snapshot holds them', async () => {
  await env.DB.prepare(
    `INSERT INTO user_groups (user_id, group_principal, source)
     WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 256)
     SELECT ?1, 'local_group://' || i, 'local' FROM n`,
  )
    .bind(ada)
    .run();
  const group = await add();
  expect(outcome(await join(group))).toBe('conflict');
  await env.DB.prepare("DELETE FROM user_groups WHERE group_principal = 'local_group://1'").run();
  expect(outcome(await join(group))).toBe(200);
  expect(outcome(await join(group))).toBe(200);
});
