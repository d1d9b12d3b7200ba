import { env } from 'cloudflare:workers';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { buildSnapshot } from '#workers/access/snapshot.ts';
import { ask, cluster, outcome, person, tokenFor } from '../management/client.ts';
import { World } from './support/world.ts';

// Checked by taking out, one at a time: the condition on the person in `insertPrincipal`, and the end of groups in `removePrincipal`: each time the test that names it failed.

let world: World;
beforeEach(async () => {
  world = await World.make();
  world.oidc.people.set('ada', { preferred_username: 'ada', groups: ['staff'] });
  world.gitHub.addAccount('octocat', { orgs: ['acme'], teams: ['acme/platform'] });
});
afterEach(() => {
  vi.restoreAllMocks();
});

const OCTOCAT = 'github_user://1000';
const join = async (user: string, principal: string): Promise<unknown> =>
  outcome(await world.ask(`POST /v1/users/${user}/principals`, { principal }));
const unjoin = async (user: string, principal: string): Promise<unknown> =>
  outcome(await world.ask(`DELETE /v1/users/${user}/principals?principal=${encodeURIComponent(principal)}`));
const groupsOf = async (user: string): Promise<string[]> =>
  (await world.ask(`GET /v1/users/${user}/groups?sort=principal`)).json.items.map(
    ({ principal }: { principal: string }) => principal,
  );

test('by whichever identity somebody comes, they are one person, with the groups and the roles of all', async () => {
  const id = await cluster();
  await world.ask(`PUT /v1/clusters/${id}/groups`, { group: 'github_team://1', role: 'owner' });
  const ada = (await world.signIn('oidc', 'ada')).json.user.id;
  expect((await buildSnapshot(env.DB, id))?.people).not.toHaveProperty(ada);
  expect(await join(ada, OCTOCAT)).toBe(201);
  // By an administrator's word alone nobody is in a group: their provider says that.
  expect(await groupsOf(ada)).toEqual(['oidc_group://staff']);
  expect((await world.signIn('github', 'octocat')).json.user.id).toBe(ada);
  expect((await world.signIn('oidc', 'ada')).json.user.id).toBe(ada);
  expect(await groupsOf(ada)).toEqual(['github_org://1', 'github_team://1', 'oidc_group://staff']);
  expect((await buildSnapshot(env.DB, id))?.people[ada]?.groups).toEqual([
    'outrider.dev:cluster-owner',
    'github_team://1',
  ]);
});

test('an identity that is taken away takes its own groups along and no others, and the clusters hear', async () => {
  const id = await cluster();
  await world.ask(`PUT /v1/clusters/${id}/groups`, { group: 'github_team://1', role: 'owner' });
  const { user, token } = (await world.signIn('oidc', 'ada')).json;
  await join(user.id, OCTOCAT);
  await world.signIn('github', 'octocat');
  const version = async (): Promise<number> =>
    Number(await env.DB.prepare('SELECT access_version FROM clusters WHERE id = ?').bind(id).first('access_version'));
  const before = await version();
  expect(await unjoin(user.id, OCTOCAT)).toBe(204);
  expect(await version()).toBeGreaterThan(before);
  expect(await groupsOf(user.id)).toEqual(['oidc_group://staff']);
  expect((await buildSnapshot(env.DB, id))?.people).not.toHaveProperty(user.id);
  // It was not their last way in.
  expect(outcome(await ask('GET /v1/me', { token }))).toBe(200);
  // Whoever comes by it now is somebody else.
  expect((await world.signIn('github', 'octocat')).json.user.id).not.toBe(user.id);
});

test('an identity of somebody else is taken from them first, and they are out without it', async () => {
  const ada = (await world.signIn('oidc', 'ada')).json.user.id;
  const octocat = (await world.signIn('github', 'octocat')).json;
  expect(await join(ada, OCTOCAT)).toBe('conflict');
  expect(await unjoin(ada, OCTOCAT)).toBe('not_found');
  expect(await unjoin(octocat.user.id, OCTOCAT)).toBe(204);
  expect(outcome(await ask('GET /v1/me', { token: octocat.token }))).toBe('unauthenticated');
  expect(await join(ada, OCTOCAT)).toBe(201);
  expect((await world.signIn('github', 'octocat')).json.user.id).toBe(ada);
});

test('of two who are joined to one identity at once, one is', async () => {
  const people = [await person(), await person()];
  const outcomes = await Promise.all(people.map(async (user) => await join(user, OCTOCAT)));
  expect(new Set(outcomes)).toEqual(new Set([201, 'conflict']));
});

test('nobody who is gone, or is being removed, is joined to anything', async () => {
  const [ada, bob] = [await person(), await person()];
  await world.ask(`PATCH /v1/users/${ada}`, { metadata: { finalizers: ['a.example/one'] } });
  await world.ask(`DELETE /v1/users/${ada}`);
  expect(await join(ada, OCTOCAT)).toBe('not_found');
  await world.ask(`DELETE /v1/users/${bob}`);
  expect(await join(bob, OCTOCAT)).toBe('not_found');
  expect((await world.signIn('github', 'octocat')).json.user.id).not.toBe(ada);
});

test('attack: who manages people joins nobody, themselves included, to an identity: whoever has it could come in as them', async () => {
  const [ada, bob] = [await person(), await person()];
  await world.ask('POST /v1/global-role-bindings', { spec: { role: 'users-manage', user: ada } });
  const token = await tokenFor(ada);
  for (const user of [ada, bob]) {
    const body = { principal: OCTOCAT };
    expect(outcome(await ask(`POST /v1/users/${user}/principals`, { token, body }))).toBe('forbidden');
  }
});
