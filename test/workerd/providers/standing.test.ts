import { env } from 'cloudflare:workers';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { buildSnapshot } from '#workers/access/snapshot.ts';
import { keepWord } from '#workers/store/providers/memberships.ts';
import { findPrincipal, removePrincipal } from '#workers/store/providers/principals.ts';
import { ask, cluster, nowSeconds, outcome, person, tokenFor } from '../management/client.ts';
import { World } from './support/world.ts';

// What the groups of a provider give, and to whom, while it comes and goes.

const STAFF = 'oidc_group://staff';

let world: World;
let id: string;
beforeEach(async () => {
  world = await World.make();
  id = await cluster();
});
afterEach(() => vi.restoreAllMocks());

const giveRoles = async (): Promise<void> => {
  await world.ask(`PUT /v1/clusters/${id}/groups`, { group: STAFF, role: 'owner' });
  await world.ask('POST /v1/global-role-bindings', { spec: { role: 'administrator', group: STAFF } });
};

/** Somebody with a password here, who is known to the provider too, and in the group. */
async function bob(): Promise<{ user: string; token: string }> {
  world.oidc.people.set('ada', { groups: ['staff'] });
  const user = await person();
  await world.ask(`POST /v1/users/${user}/principals`, { principal: 'oidc_user://ada' });
  await world.signIn('oidc', 'ada');
  return { user, token: await tokenFor(user) };
}

const groupsOf = async (user: string): Promise<readonly string[]> =>
  (await buildSnapshot(env.DB, id))?.people[user]?.groups ?? [];

// Tried with the view counting all groups: Bob stays owner of the cluster, and administrator.
test('the groups of a provider count while it is enabled, also for those who have another way in, and again once it is', async () => {
  await giveRoles();
  const { user, token } = await bob();
  expect(await groupsOf(user)).toContain(STAFF);
  expect(outcome(await ask('GET /v1/global-role-bindings', { token }))).toBe(200);
  await world.ask('POST /v1/auth/providers/oidc/disable');
  expect(outcome(await ask('GET /v1/me', { token }))).toBe(200);
  expect(await groupsOf(user)).toEqual([]);
  expect(outcome(await ask('GET /v1/global-role-bindings', { token }))).toBe('forbidden');
  await world.ask('POST /v1/auth/providers/oidc/enable');
  expect(await groupsOf(user)).toContain(STAFF);
});

test('a provider that is being removed gives nothing any more: its groups have no members and no roles', async () => {
  await giveRoles();
  const { user, token } = await bob();
  await world.ask('PATCH /v1/auth/providers/oidc', { metadata: { finalizers: ['a.example/one'] } });
  expect(outcome(await world.ask('DELETE /v1/auth/providers/oidc'))).toBe(204);
  expect(outcome(await ask('GET /v1/me', { token }))).toBe(200);
  expect(await groupsOf(user)).toEqual([]);
  for (const table of ['user_groups', 'cluster_groups', 'global_role_bindings']) {
    const left = env.DB.prepare(`SELECT count(*) AS n FROM ${table} WHERE group_principal = ?`).bind(STAFF);
    expect([table, await left.first('n')]).toEqual([table, 0]);
  }
});

// Tried with both defences out, the view that counts groups of enabled providers alone and the order of what is taken: the token stayed good.
test('attack: a registration token that somebody made by a group does not outlive its provider', async () => {
  await world.ask(`PUT /v1/clusters/${id}/groups`, { group: STAFF, role: 'owner' });
  const { token } = await bob();
  const path = `/v1/clusters/${id}/registration-tokens`;
  expect(outcome(await ask(`POST ${path}`, { token, body: { spec: {} } }))).toBe(201);
  expect(outcome(await world.ask('DELETE /v1/auth/providers/oidc'))).toBe(204);
  const left = env.DB.prepare(
    'SELECT count(*) AS n FROM registration_tokens WHERE revoked_at IS NULL AND used_at IS NULL',
  );
  expect(await left.first('n')).toBe(0);
});

/** A token of somebody who may manage authentication, and nothing else. */
async function manager(): Promise<string> {
  const user = await person();
  await world.ask('POST /v1/global-role-bindings', { spec: { role: 'authentication-manage', user } });
  return await tokenFor(user);
}

const again = (name: string) => ({
  metadata: { name },
  spec: { displayName: 'Mine', config: { type: 'github', clientId: 'Iv1.mine', clientSecret: 'mine-secret' } },
});

// Tried without the roles being taken: they wait for whoever the new provider says is in the group.
test('attack: who manages authentication puts another provider in the place of one whose groups have roles', async () => {
  await giveRoles();
  const token = await manager();
  expect(outcome(await ask('DELETE /v1/auth/providers/oidc', { token }))).toBe(204);
  expect(outcome(await ask('POST /v1/auth/providers', { token, body: again('oidc') }))).toBe(201);
  expect((await world.ask(`GET /v1/clusters/${id}/groups`)).json.items).toEqual([]);
  expect((await world.ask(`GET /v1/global-role-bindings?group=${encodeURIComponent(STAFF)}`)).json.items).toEqual([]);
});

// Tried without the question: the provider is made.
test('attack: who manages authentication adds a provider to whose groups roles are given already', async () => {
  const token = await manager();
  for (const kind of ['group', 'org', 'team']) {
    const name = `later${kind}`;
    await world.ask(`PUT /v1/clusters/${id}/groups`, { group: `${name}_${kind}://7`, role: 'read-only' });
    expect(outcome(await ask('POST /v1/auth/providers', { token, body: again(name) }))).toBe('conflict');
    expect(outcome(await world.ask('POST /v1/auth/providers', again(name)))).toBe(201);
  }
  // Of another whose id only begins so.
  expect(outcome(await ask('POST /v1/auth/providers', { token, body: again('later') }))).toBe(201);
});

// Tried with groups that are kept in any case: Bob has them, and nobody is left to say that he has not.
test('attack: a sign-in that is under way brings back no groups of an identity that was taken away', async () => {
  const { user } = await bob();
  const before = await findPrincipal(env.DB, 'oidc_user://ada');
  if (before === null) throw new Error('Bob is not known there');
  const commit = async (statements: D1PreparedStatement[]) => await env.DB.batch(statements);
  await removePrincipal(env.DB, commit, { ...before, now: nowSeconds() });
  const word = { row: before, groups: [{ principal: STAFF, displayName: '' }], now: nowSeconds() };
  expect(await keepWord(env.DB, commit, word, { before, claim: null })).toBe(false);
  expect(await env.DB.prepare('SELECT count(*) AS n FROM user_groups WHERE user_id = ?').bind(user).first('n')).toBe(0);
});

// Tried with versions that begin at one: it is removed.
test('what was decided on a provider that is gone is not done to another of its id', async () => {
  await world.ask('POST /v1/auth/providers', again('mine'));
  const etag = (await world.ask('GET /v1/auth/providers/mine')).headers.get('etag') ?? '';
  await world.ask('DELETE /v1/auth/providers/mine');
  vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 1000);
  await world.ask('POST /v1/auth/providers', again('mine'));
  const stale = await ask('DELETE /v1/auth/providers/mine', { token: world.token, headers: { 'if-match': etag } });
  expect(outcome(stale)).toBe('precondition_failed');
});
