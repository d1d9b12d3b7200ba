import { env } from 'cloudflare:workers';
import { runDurableObjectAlarm } from 'cloudflare:test';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { refreshMemberships, refreshOne } from '#workers/authn/providers/people/refresh.ts';
import { readConfig } from '#workers/env.ts';
import { findPrincipal } from '#workers/store/providers/principals.ts';
import { landed } from '../audit/events.ts';
import { ask, nowSeconds, outcome } from '../management/client.ts';
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

// Checked by taking out, one at a time: the claim of a row, the condition on it when an answer is kept, the lapse after the hours, and the ending of tokens. Each time the test that
// names it failed.

const HOUR = 3600;
const deps = async () => ({
  db: env.DB,
  config: await readConfig(env),
  commit: async (statements: D1PreparedStatement[]) => await env.DB.batch(statements),
  askDirectory: async () => await Promise.reject(new Error('there is no directory')),
  auditUpkeep: () => undefined,
});
const refreshAt = async (now: number): Promise<number | null> => await refreshMemberships(await deps(), now);
const groups = async (): Promise<string[]> => {
  const { results } = await env.DB.prepare('SELECT group_principal AS g FROM user_groups ORDER BY g').all<{
    g: string;
  }>();
  return results.map((row) => row.g);
};
const isGood = async (token: string): Promise<boolean> => outcome(await ask('GET /v1/me', { token })) === 200;
const staffOnly = async () =>
  await world.ask('PATCH /v1/auth/providers/oidc', {
    spec: { access: { mode: 'groups', principals: ['oidc_group://staff'] } },
  });

/** The events of a person's refreshes that nobody asked for. */
const refreshesOf = async (id: string) =>
  (await landed()).filter(({ user, objectRef }) => user.username === 'outrider:refresher' && objectRef?.name === id);

/** While the next refresh waits for GitHub, the person is taken from their team, and signs in. */
function overtakeRefresh(): void {
  const fetched = vi.mocked(globalThis.fetch).getMockImplementation();
  let once = true;
  vi.mocked(globalThis.fetch).mockImplementation(async (input, init) => {
    const answer = await (fetched?.(input, init) ?? Promise.reject(new Error('nobody')));
    if (once && new Request(input, init).url.includes('/user/teams')) {
      once = false;
      world.gitHub.accounts.get('octocat')?.teams.clear();
      await world.signIn('github', 'octocat');
    }
    return answer;
  });
}

test('a group that is lost at the provider is lost here within the hour, and with it the tokens that hung on it', async () => {
  await staffOnly();
  const { json } = await world.signIn('oidc', 'ada');
  const [now, ada] = [nowSeconds(), world.oidc.people.get('ada')];
  expect(await refreshAt(now)).toBeGreaterThan(now + HOUR - 60);
  if (ada !== undefined) ada.groups = ['guests'];
  expect(await isGood(json.token)).toBe(true);
  await refreshAt(now + HOUR + 1);
  expect(await groups()).toEqual(['oidc_group://guests']);
  expect(await isGood(json.token)).toBe(false);
});

// Taken out: the commit of `refreshMemberships`. It failed.
test('what a refresh that nobody asked for changes is in the audit log, and one that changes nothing is not', async () => {
  const { json } = await world.signIn('oidc', 'ada');
  const refreshed = async () => await refreshesOf(json.user.id);
  const [now, ada] = [nowSeconds(), world.oidc.people.get('ada')];
  await refreshAt(now + HOUR + 1);
  expect(await refreshed()).toEqual([]);
  if (ada !== undefined) ada.groups = ['guests'];
  await refreshAt(now + 2 * HOUR + 2);
  expect(await refreshed()).toMatchObject([
    {
      ...{ verb: 'create', stage: 'ResponseComplete', requestURI: `/v1/users/${json.user.id}/refresh` },
      objectRef: { resource: 'users', name: json.user.id, subresource: 'refresh' },
    },
  ]);
});

// Taken out: the condition of the event, and the comparison of names in `keepWord`. Each time one of the two failed.
test('a refresh that nobody asked for, and whose answer comes too late, is not in the audit log', async () => {
  const { json } = await world.signIn('github', 'octocat');
  overtakeRefresh();
  await refreshAt(nowSeconds() + HOUR + 1);
  expect(await groups()).toEqual(['github_org://1']);
  expect(await refreshesOf(json.user.id)).toEqual([]);
});

test('another name that a refresh brings while nobody asks is in the audit log', async () => {
  const { json } = await world.signIn('oidc', 'ada');
  world.oidc.people.set('ada', { preferred_username: 'lovelace', groups: ['staff'] });
  await refreshAt(nowSeconds() + HOUR + 1);
  expect((await findPrincipal(env.DB, 'oidc_user://ada'))?.loginName).toBe('lovelace');
  expect(await refreshesOf(json.user.id)).toHaveLength(1);
});

test('a team that is left on GitHub, and one that is joined, show at the next refresh', async () => {
  const { json } = await world.signIn('github', 'octocat');
  const account = world.gitHub.accounts.get('octocat');
  account?.teams.clear();
  account?.orgs.add('other');
  world.gitHub.orgIds.set('other', 77);
  await refreshAt(nowSeconds() + HOUR + 1);
  expect(await groups()).toEqual(['github_org://1', 'github_org://77']);
  expect(await isGood(json.token)).toBe(true);
});

test('a grant that was taken back ends the tokens, and is not asked with again; who signs in anew is back', async () => {
  for (const [provider, who, revoke] of [
    ['github', 'octocat', () => world.gitHub.revoke('octocat')],
    ['oidc', 'ada', () => world.oidc.revoke('ada')],
  ] as const) {
    const { json } = await world.signIn(provider, who);
    revoke();
    await refreshAt(nowSeconds() + HOUR + 1);
    expect(await isGood(json.token)).toBe(false);
    const [principal] = (await world.ask(`GET /v1/users/${json.user.id}/principals`)).json.items;
    expect(principal.gone).toBe(true);
    const row = await findPrincipal(env.DB, principal.principal);
    expect(row?.grant).toBeNull();
    const again = await world.signIn(provider, who);
    expect(again.json.user.id).toBe(json.user.id);
    expect(await isGood(again.json.token)).toBe(true);
  }
  expect(await groups()).toEqual(['github_org://1', 'github_team://1', 'oidc_group://staff']);
});

test.each(['primary limit', 'secondary limit', 'too many requests', 'outage', 'not its API'] as const)(
  'while GitHub is in trouble (%s) nothing changes, and it is asked again later',
  async (trouble) => {
    const { json } = await world.signIn('github', 'octocat');
    world.gitHub.trouble = trouble;
    const now = nowSeconds() + HOUR + 1;
    const next = await refreshAt(now);
    expect(next).toBeGreaterThanOrEqual(now + 300);
    expect(await groups()).toEqual(['github_org://1', 'github_team://1']);
    expect(await isGood(json.token)).toBe(true);
  },
);

test('a provider that cannot be asked for longer than its word holds is believed no more, and recovers', async () => {
  await world.ask('PATCH /v1/auth/providers/github', { spec: { unconfirmedHours: 2 } });
  const { json } = await world.signIn('github', 'octocat');
  world.gitHub.trouble = 'outage';
  const now = nowSeconds();
  await refreshAt(now + HOUR + 1);
  expect(await isGood(json.token)).toBe(true);
  await refreshAt(now + 2 * HOUR + 1);
  expect(await isGood(json.token)).toBe(false);
  expect(await groups()).toEqual([]);
  world.gitHub.trouble = null;
  await refreshAt(now + 3 * HOUR + 2);
  expect(await groups()).toEqual(['github_org://1', 'github_team://1']);
});

test('without a refresh token the word of an OpenID provider holds for its hours, and lapses', async () => {
  world.oidc.refreshTokens = false;
  const { json } = await world.signIn('oidc', 'ada');
  const now = nowSeconds();
  expect(await refreshAt(now + 71 * HOUR)).toBeGreaterThan(now + 71 * HOUR);
  expect(await isGood(json.token)).toBe(true);
  const report = await world.ask(`POST /v1/users/${json.user.id}/refresh`);
  expect(report.json.items).toMatchObject([{ principal: 'oidc_user://ada', outcome: 'cannot_ask' }]);
  expect(await refreshAt(now + 72 * HOUR + 2)).toBeNull();
  expect(await isGood(json.token)).toBe(false);
  expect(await groups()).toEqual([]);
});

test('a shorter time that a word holds counts for those who have signed in before', async () => {
  world.oidc.refreshTokens = false;
  const { json } = await world.signIn('oidc', 'ada');
  await world.ask('PATCH /v1/auth/providers/oidc', { spec: { unconfirmedHours: 1 } });
  await refreshAt(nowSeconds() + HOUR + 1);
  expect(await isGood(json.token)).toBe(false);
});

test('a person is refreshed on demand, and the answer says how it went', async () => {
  const { json } = await world.signIn('oidc', 'ada');
  world.oidc.people.set('ada', { preferred_username: 'ada', groups: ['staff', 'more'] });
  const refresh = async () => (await world.ask(`POST /v1/users/${json.user.id}/refresh`)).json.items;
  expect(await refresh()).toEqual([{ principal: 'oidc_user://ada', outcome: 'confirmed', detail: '2 groups' }]);
  expect(await groups()).toEqual(['oidc_group://more', 'oidc_group://staff']);
  world.oidc.down = true;
  expect(await refresh()).toMatchObject([{ outcome: 'unavailable' }]);
  expect(outcome(await world.ask('POST /v1/users/u-aaaaaaaaaa/refresh'))).toBe('not_found');
});

test('of two who ask for the same person at once one does: a refresh token that is used twice is taken for stolen', async () => {
  await world.signIn('oidc', 'ada');
  const row = await findPrincipal(env.DB, 'oidc_user://ada');
  if (row === null) throw new Error('no row');
  const now = nowSeconds();
  const reports = await Promise.all([refreshOne(await deps(), row, now), refreshOne(await deps(), row, now)]);
  expect(reports.map(({ outcome: how }) => how).toSorted()).toEqual(['confirmed', 'unavailable']);
});

test('a late answer does not undo what a sign-in has brought meanwhile', async () => {
  await world.signIn('github', 'octocat');
  const row = await findPrincipal(env.DB, 'github_user://1000');
  if (row === null) throw new Error('no row');
  overtakeRefresh();
  await refreshOne(await deps(), row, nowSeconds());
  expect(await groups()).toEqual(['github_org://1']);
});

test('the alarm refreshes who is due by itself, and sets itself for the next', async () => {
  await staffOnly();
  const { json } = await world.signIn('oidc', 'ada');
  world.oidc.people.set('ada', { preferred_username: 'ada', groups: [] });
  await env.DB.prepare('UPDATE user_principals SET refresh_at = 1').run();
  const refresher = env.REFRESHER.get(env.REFRESHER.idFromName('main'));
  await refresher.arm(nowSeconds() + HOUR);
  await runDurableObjectAlarm(refresher);
  await vi.waitFor(async () => expect(await isGood(json.token)).toBe(false));
  // It is armed again: there is something to run.
  expect(await runDurableObjectAlarm(refresher)).toBe(true);
});

test('while a provider is disabled nobody of it is asked for', async () => {
  await world.signIn('github', 'octocat');
  await world.ask('POST /v1/auth/providers/github/disable');
  world.gitHub.calls.length = 0;
  expect(await refreshAt(nowSeconds() + HOUR + 1)).toBeNull();
  expect(world.gitHub.calls).toEqual([]);
});

test('one person whose grant cannot be opened does not keep the others from being refreshed', async () => {
  await world.signIn('oidc', 'ada');
  await world.signIn('github', 'octocat');
  await env.DB.prepare(
    "UPDATE user_principals SET refresh_grant = 'x.y.z', refresh_at = 1 WHERE provider = 'oidc'",
  ).run();
  world.gitHub.accounts.get('octocat')?.teams.clear();
  await refreshAt(nowSeconds() + HOUR + 1);
  expect(await groups()).toEqual(['github_org://1', 'oidc_group://staff']);
});
