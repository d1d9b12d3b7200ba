import { env } from 'cloudflare:workers';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ask, outcome, person, tokenFor } from '../management/client.ts';
import { World } from './support/world.ts';

let world: World;
beforeEach(async () => {
  world = await World.make();
  world.oidc.people.set('ada', { preferred_username: 'ada', groups: ['staff'] });
  world.gitHub.addAccount('octocat', { orgs: ['acme'], teams: ['acme/platform'] });
});
afterEach(() => {
  vi.restoreAllMocks();
});

// Checked by taking out, one at a time: the ending of tokens, and the condition on the last administrator. Each time the test that names it failed.

test('disabling ends the tokens of those who have no other way in, and enabling revives none (GHSA-c45c-39f6-6gw9)', async () => {
  const ada = await world.signIn('oidc', 'ada');
  const octocat = await world.signIn('github', 'octocat');
  const local = await tokenFor(await person());
  const me = async (token: string) => outcome(await ask('GET /v1/me', { token }));
  await world.ask('POST /v1/auth/providers/oidc/disable');
  expect(await me(ada.json.token)).toBe('unauthenticated');
  expect(await me(octocat.json.token)).toBe(200);
  expect(await me(local)).toBe(200);
  await world.ask('POST /v1/auth/providers/oidc/enable');
  expect(await me(ada.json.token)).toBe('unauthenticated');
  expect(await me((await world.signIn('oidc', 'ada')).json.token)).toBe(200);
});

test('every cluster hears of a provider that was disabled', async () => {
  const { json } = await world.ask('POST /v1/clusters', { metadata: { name: 'first' }, spec: {} });
  const version = async () =>
    await env.DB.prepare('SELECT access_version AS v FROM clusters WHERE id = ?').bind(json.id).first<number>('v');
  const before = await version();
  await world.ask('POST /v1/auth/providers/oidc/disable');
  expect(await version()).toBeGreaterThan(Number(before));
});

test('somebody with a principal at another provider, or a password, keeps their tokens', async () => {
  const ada = await world.signIn('oidc', 'ada');
  await world.ask(`POST /v1/users/${ada.json.user.id}/principals`, { principal: 'github_user://1000' });
  const octocat = await world.signIn('github', 'octocat');
  expect(octocat.json.user.id).toBe(ada.json.user.id);
  await world.ask('POST /v1/auth/providers/oidc/disable');
  expect(outcome(await ask('GET /v1/me', { token: ada.json.token }))).toBe(200);
  await world.ask('POST /v1/auth/providers/github/disable');
  expect(outcome(await ask('GET /v1/me', { token: ada.json.token }))).toBe('unauthenticated');
});

test('access that is made narrower ends the tokens of those whom it shuts out, and of nobody else', async () => {
  world.oidc.people.set('bob', { preferred_username: 'bob', groups: ['guests'] });
  const [ada, bob] = [await world.signIn('oidc', 'ada'), await world.signIn('oidc', 'bob')];
  const access = { mode: 'groups', principals: ['oidc_group://staff'] };
  expect((await world.ask('PATCH /v1/auth/providers/oidc', { spec: { access } })).json.spec.access).toEqual(access);
  expect(outcome(await ask('GET /v1/me', { token: ada.json.token }))).toBe(200);
  expect(outcome(await ask('GET /v1/me', { token: bob.json.token }))).toBe('unauthenticated');
});

test('a provider that is removed takes its principals and groups along', async () => {
  const ada = await world.signIn('oidc', 'ada');
  expect(outcome(await world.ask('DELETE /v1/auth/providers/oidc'))).toBe(204);
  expect(outcome(await ask('GET /v1/me', { token: ada.json.token }))).toBe('unauthenticated');
  expect((await world.ask(`GET /v1/users/${ada.json.user.id}/principals`)).json.items).toEqual([]);
  const left = await env.DB.prepare("SELECT count(*) AS n FROM user_groups WHERE source = 'oidc'").first('n');
  expect(left).toBe(0);
  expect(outcome(await world.ask('GET /v1/auth/providers/oidc'))).toBe('not_found');
});

test("the last administrator's way in is neither disabled, narrowed, removed nor taken from them", async () => {
  const ada = await world.signIn('oidc', 'ada');
  const { id } = ada.json.user;
  await env.DB.prepare('UPDATE users SET administrator = (id = ?1)').bind(id).run();
  const asAda = async (what: string, body?: object) =>
    outcome(await ask(what, { token: ada.json.token, ...(body === undefined ? {} : { body }) }));
  const narrow = { spec: { access: { mode: 'users', principals: ['oidc_user://somebody'] } } };
  expect(await asAda('PATCH /v1/auth/providers/oidc', narrow)).toBe('conflict');
  expect(await asAda('POST /v1/auth/providers/oidc/disable')).toBe('conflict');
  expect(await asAda('DELETE /v1/auth/providers/oidc')).toBe('conflict');
  expect(await asAda(`DELETE /v1/users/${id}/principals?principal=oidc_user://ada`)).toBe('conflict');
  expect((await ask('GET /v1/me', { token: ada.json.token })).status).toBe(200);
  await person({ administrator: true });
  expect(await asAda('POST /v1/auth/providers/oidc/disable')).toBe(200);
});

test('a principal is joined to one person, one of each provider, and can be taken away', async () => {
  const [ada, bob] = [await person(), await person()];
  const join = async (user: string, principal: string) =>
    outcome(await world.ask(`POST /v1/users/${user}/principals`, { principal }));
  expect(await join(ada, 'github_user://1000')).toBe(201);
  expect(await join(bob, 'github_user://1000')).toBe('conflict');
  expect(await join(ada, 'github_user://1001')).toBe('conflict');
  expect(await join(ada, 'github_team://1')).toBe('invalid');
  expect(await join(ada, 'nobody_user://1')).toBe('not_found');
  const octocat = await world.signIn('github', 'octocat');
  expect(octocat.json.user.id).toBe(ada);
  const remove = `DELETE /v1/users/${ada}/principals?principal=${encodeURIComponent('github_user://1000')}`;
  expect(outcome(await world.ask(remove))).toBe(204);
  expect(outcome(await world.ask(remove))).toBe('not_found');
  expect(await env.DB.prepare('SELECT count(*) AS n FROM user_groups WHERE user_id = ?').bind(ada).first('n')).toBe(0);
  expect((await world.signIn('github', 'octocat')).json.user.id).not.toBe(ada);
});

test('taking the last way in from somebody ends their tokens', async () => {
  const { json } = await world.signIn('github', 'octocat');
  const principal = encodeURIComponent('github_user://1000');
  await world.ask(`DELETE /v1/users/${json.user.id}/principals?principal=${principal}`);
  expect(outcome(await ask('GET /v1/me', { token: json.token }))).toBe('unauthenticated');
});

test('people and groups are searched at the provider and among those it has named', async () => {
  await world.signIn('github', 'octocat');
  await world.signIn('oidc', 'ada');
  world.gitHub.addAccount('octopus');
  const search = async (provider: string, query: string) => {
    const { json } = await world.ask(`GET /v1/principals?provider=${provider}&query=${query}`);
    return json.items.map(({ principal }: { principal: string }) => principal).toSorted();
  };
  expect(await search('github', 'octo')).toEqual(['github_user://1000', 'github_user://1001']);
  expect(await search('github', 'acme')).toEqual(['github_org://1', 'github_team://1']);
  expect(await search('oidc', 'STA')).toEqual(['oidc_group://staff']);
  expect(await search('oidc', 'ada')).toEqual(['oidc_user://ada']);
  world.gitHub.trouble = 'secondary limit';
  expect(outcome(await world.ask('GET /v1/principals?provider=github&query=octo'))).toBe('provider_unavailable');
});
