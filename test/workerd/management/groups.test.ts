import { env } from 'cloudflare:workers';
import { applyD1Migrations, reset } from 'cloudflare:test';
import { beforeEach, expect, test } from 'vitest';
import { buildSnapshot } from '#workers/access/snapshot.ts';
import { saysGroups } from '../support/word.ts';
import { ask, cluster, nowSeconds, outcome, person, tokenFor } from './client.ts';

// Checked by taking out, one at a time: the touch before memberships are replaced, the strongest of several roles in the view, the groups of the snapshot, and the revocation of a cluster's
// registration tokens. Each time the test that names it failed.

const TEAM = 'github_team://42';
const ADMINS = 'activedirectory_group://6d0c1f5e-0000-4000-8000-000000000001';

let admin: string;
let token: string;
let id: string;
let ada: string;
beforeEach(async () => {
  await reset();
  await applyD1Migrations(env.DB, env.MIGRATIONS);
  admin = await person({ administrator: true });
  token = await tokenFor(admin);
  id = await cluster();
  ada = await person();
});

const give = async (group: string, role: string, by = token) =>
  await ask(`PUT /v1/clusters/${id}/groups`, { token: by, body: { group, role } });
const join = async (user: string, source: string, groups: readonly string[]): Promise<void> => {
  await env.DB.batch(saysGroups(env.DB, { userId: user, source, groups, now: nowSeconds() }));
};
const groupsOf = async (user: string): Promise<readonly string[] | undefined> =>
  (await buildSnapshot(env.DB, id))?.people[user]?.groups;
const versionOf = async (): Promise<unknown> =>
  await env.DB.prepare('SELECT access_version FROM clusters WHERE id = ?1').bind(id).first('access_version');

test('whoever is in a group has its role in the cluster, and the group itself as a group there', async () => {
  await join(ada, 'github', [TEAM, 'github_org://7']);
  expect(await groupsOf(ada)).toBeUndefined();
  expect((await give(TEAM, 'read-only')).json).toEqual({ group: TEAM, role: 'read-only' });
  expect(await groupsOf(ada)).toEqual(['outrider.dev:cluster-read-only', TEAM]);
  expect((await ask(`GET /v1/clusters/${id}`, { token: await tokenFor(ada) })).status).toBe(200);
  expect((await ask('GET /v1/clusters', { token: await tokenFor(ada) })).json.items).toHaveLength(1);
  expect((await ask(`GET /v1/clusters/${id}/groups`, { token })).json.items).toEqual([
    { group: TEAM, role: 'read-only' },
  ]);
});

test('of several roles, by themselves and by groups, the strongest holds', async () => {
  await ask(`PUT /v1/clusters/${id}/members/${ada}`, { token, body: { role: 'read-only' } });
  await join(ada, 'github', [TEAM]);
  await give(TEAM, 'owner');
  await give(ADMINS, 'member');
  await join(ada, 'activedirectory', [ADMINS]);
  expect(await groupsOf(ada)).toEqual(['outrider.dev:cluster-owner', ADMINS, TEAM]);
  expect(outcome(await give(TEAM, 'member', await tokenFor(ada)))).toBe(200);
  expect(await groupsOf(ada)).toEqual(['outrider.dev:cluster-member', ADMINS, TEAM]);
});

test('attack: whoever left a group keeps nothing of it, and its clusters hear (CVE-2023-22650)', async () => {
  await join(ada, 'github', [TEAM]);
  await give(TEAM, 'owner');
  const before = await versionOf();
  await join(ada, 'github', []);
  expect(await groupsOf(ada)).toBeUndefined();
  expect(await versionOf()).not.toBe(before);
  expect(outcome(await ask(`GET /v1/clusters/${id}`, { token: await tokenFor(ada) }))).toBe('unknown_cluster');
});

test('what one provider says changes nothing of another’s groups', async () => {
  await join(ada, 'github', [TEAM]);
  await join(ada, 'activedirectory', [ADMINS]);
  await give(TEAM, 'member');
  await join(ada, 'activedirectory', []);
  expect(await groupsOf(ada)).toEqual(['outrider.dev:cluster-member', TEAM]);
});

test('attack: a group whose role is taken takes every derived right along (CVE-2021-36775, CVE-2023-32199)', async () => {
  await join(ada, 'github', [TEAM]);
  await give(TEAM, 'owner');
  const owner = await tokenFor(ada);
  expect((await ask(`POST /v1/clusters/${id}/registration-tokens`, { token: owner, body: { spec: {} } })).status).toBe(
    201,
  );
  const gone = await ask(`DELETE /v1/clusters/${id}/groups?group=${encodeURIComponent(TEAM)}`, { token });
  expect(outcome(gone)).toBe(204);
  expect(await groupsOf(ada)).toBeUndefined();
  expect((await ask(`GET /v1/clusters/${id}/registration-tokens`, { token })).json.items).toEqual([]);
  expect(outcome(await ask(`DELETE /v1/clusters/${id}/groups?group=${encodeURIComponent(TEAM)}`, { token }))).toBe(
    'not_found',
  );
});

test('attack: a member by a group does not make themselves an owner', async () => {
  await join(ada, 'github', [TEAM]);
  await give(TEAM, 'member');
  expect(outcome(await give(TEAM, 'owner', await tokenFor(ada)))).toBe('forbidden');
});

test.each([
  'system:masters',
  'system_group:masters',
  'outrider.dev:cluster-owner',
  'x_group://a b',
  'x_group://a\nimpersonate-user: root',
  'x_user://1',
  `x_group://${'a'.repeat(201)}`,
  'x_group://ü',
])('attack: %o is no group', async (group) => {
  expect(outcome(await give(group, 'owner'))).toBe('invalid');
});
