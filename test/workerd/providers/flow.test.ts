import { env } from 'cloudflare:workers';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ask, outcome } from '../management/client.ts';
import { submit, visit } from '../sign-in/browser.ts';
import { Browser, World } from './support/world.ts';

let world: World;
beforeEach(async () => {
  world = await World.make();
  world.oidc.people.set('248289', { preferred_username: 'Ada', name: 'Ada Lovelace', groups: ['staff', 'Ä B%'] });
  world.gitHub.addAccount('octocat', { name: 'The Octocat', orgs: ['acme'], teams: ['acme/platform'] });
});
afterEach(() => {
  vi.restoreAllMocks();
});

const groups = async (user: string): Promise<string[]> => {
  const query = 'SELECT group_principal FROM user_groups WHERE user_id = ? ORDER BY group_principal';
  const { results } = await env.DB.prepare(query).bind(user).all<{ group_principal: string }>();
  return results.map((row) => row.group_principal);
};

test('somebody who signs in with OpenID Connect for the first time becomes a person, with their groups', async () => {
  const answer = await world.signIn('oidc', '248289');
  expect(answer.status).toBe(303);
  expect(answer.json).toMatchObject({
    user: { username: 'ada', administrator: false, enabled: true },
    returnTo: '/login',
  });
  const me = await ask('GET /v1/me', { token: answer.json.token });
  expect(me.json.user).toEqual(answer.json.user);
  expect(await groups(me.json.user.id)).toEqual(['oidc_group://%C3%84%20B%25', 'oidc_group://staff']);
  const principals = await world.ask(`GET /v1/users/${me.json.user.id}/principals`);
  expect(principals.json.items).toMatchObject([
    { principal: 'oidc_user://248289', provider: 'oidc', loginName: 'Ada', displayName: 'Ada Lovelace', gone: false },
  ]);
});

test('with GitHub, organisations and teams are groups, by number', async () => {
  const answer = await world.signIn('github', 'octocat');
  expect(answer.json.user.username).toBe('octocat');
  expect(await groups(answer.json.user.id)).toEqual(['github_org://1', 'github_team://1']);
});

test('who signs in again is the same person, whatever they are called meanwhile, and their groups are those of now', async () => {
  const first = await world.signIn('github', 'octocat');
  const account = world.gitHub.accounts.get('octocat');
  if (account === undefined) throw new Error('no account');
  account.login = 'renamed';
  account.teams.clear();
  const second = await world.signIn('github', 'octocat');
  expect(second.json.user.id).toBe(first.json.user.id);
  expect(second.json.user.username).toBe('octocat');
  expect(await groups(second.json.user.id)).toEqual(['github_org://1']);
});

test('a hundred and fifty teams come in pages', async () => {
  const teams = Array.from({ length: 150 }, (_, i) => `acme/team-${i}`);
  world.gitHub.addAccount('busy', { orgs: ['acme'], teams });
  const answer = await world.signIn('github', 'busy');
  expect(await groups(answer.json.user.id)).toHaveLength(151);
  expect(world.gitHub.calls.filter((call) => call === 'GET /user/teams')).toHaveLength(2);
});

test('more groups than can be carried are refused, and not cut off in silence', async () => {
  world.oidc.people.set('many', { groups: Array.from({ length: 501 }, (_, i) => `g${i}`) });
  expect(outcome(await world.signIn('oidc', 'many'))).toBe('sign_in_failed');
});

test('people of the same name at two providers and here stay three (no merging by name)', async () => {
  await world.ask('POST /v1/users', { metadata: { name: 'ada' }, spec: { password: 'some password 1' } });
  world.gitHub.addAccount('ada');
  const [oidc, gitHub] = [await world.signIn('oidc', '248289'), await world.signIn('github', 'ada')];
  expect([oidc.json.user.username, gitHub.json.user.username]).toEqual(['ada-2', 'ada-3']);
  expect(new Set([oidc.json.user.id, gitHub.json.user.id]).size).toBe(2);
});

test('two first sign-ins at once make one person', async () => {
  const answers = await Promise.all([world.signIn('oidc', '248289'), world.signIn('oidc', '248289')]);
  expect(answers.map(({ status }) => status)).toEqual([303, 303]);
  expect(answers[0]?.json.user.id).toBe(answers[1]?.json.user.id);
});

test('somebody who signs in elsewhere has no password that signs them in here', async () => {
  await world.signIn('oidc', '248289');
  for (const password of ['!', '', 'x']) {
    const answer = await ask('POST /v1/auth/local', { body: { username: 'ada', password } });
    expect(answer.status).toBeGreaterThanOrEqual(401);
  }
});

test('where the browser was going is given back to it', async () => {
  const browser = new Browser();
  const start = await browser.start('oidc', `?returnTo=${encodeURIComponent('/clusters?tab=1')}`);
  const answer = await browser.open(world.authorized('oidc', '248289', start));
  expect(answer.json.returnTo).toBe('/clusters?tab=1');
  expect([...browser.cookies.keys()]).toEqual(['__Host-outrider-session']);
});

test('the cookie of a sign-in is of this host alone, for TLS, hidden from scripts, and tells nothing', async () => {
  const start = await new Browser().start('oidc');
  expect(start.status).toBe(302);
  const cookie = start.headers.get('set-cookie') ?? '';
  expect(cookie).toMatch(/^__Host-outrider-signin=/);
  for (const attribute of ['Path=/', 'Secure', 'HttpOnly', 'SameSite=Lax', 'Max-Age=600'])
    expect(cookie).toContain(attribute);
  expect(cookie).not.toContain('Domain');
  const { searchParams } = new URL(start.headers.get('location') ?? '');
  expect(searchParams.get('code_challenge_method')).toBe('S256');
  for (const name of ['state', 'nonce']) expect(cookie).not.toContain(String(searchParams.get(name)));
});

test('a disabled person is refused, and so is whom access does not list', async () => {
  const ada = await world.signIn('oidc', '248289');
  await world.ask(`PATCH /v1/users/${ada.json.user.id}`, { spec: { enabled: false } });
  expect(outcome(await world.signIn('oidc', '248289'))).toBe('sign_in_refused');
  await world.ask('PATCH /v1/auth/providers/github', {
    spec: { access: { mode: 'groups', principals: ['github_team://99'] } },
  });
  expect(outcome(await world.signIn('github', 'octocat'))).toBe('sign_in_refused');
  expect(await env.DB.prepare("SELECT count(*) AS n FROM users WHERE username = 'octocat'").first('n')).toBe(0);
  await world.ask('PATCH /v1/auth/providers/github', {
    spec: { access: { mode: 'groups', principals: ['github_team://1'] } },
  });
  expect((await world.signIn('github', 'octocat')).status).toBe(303);
  await world.ask('PATCH /v1/auth/providers/github', {
    spec: { access: { mode: 'users', principals: ['github_user://7'] } },
  });
  expect(outcome(await world.signIn('github', 'octocat'))).toBe('sign_in_refused');
  await world.ask('PATCH /v1/auth/providers/github', {
    spec: { access: { mode: 'users', principals: ['github_user://1000'] } },
  });
  expect((await world.signIn('github', 'octocat')).status).toBe(303);
});

test('a provider that is down is told from a refusal', async () => {
  world.gitHub.trouble = 'outage';
  expect(outcome(await world.signIn('github', 'octocat'))).toBe('provider_unavailable');
  world.gitHub.trouble = 'primary limit';
  expect(outcome(await world.signIn('github', 'octocat'))).toBe('provider_unavailable');
  world.gitHub.trouble = null;
  world.gitHub.grantedScope = '';
  const refused = await world.signIn('github', 'octocat');
  expect([outcome(refused), refused.json.detail]).toEqual(['sign_in_failed', expect.stringContaining('read:org')]);
});

test('the sign-in page is told of enabled providers, and of nothing more', async () => {
  await world.ask('POST /v1/auth/providers/github/disable');
  const { json } = await ask('GET /v1/auth/providers/enabled');
  expect(json).toEqual({
    items: [
      {
        id: 'oidc',
        type: 'oidc',
        displayName: 'The oidc',
        startPath: '/v1/auth/providers/oidc/start',
        passwordPath: null,
      },
    ],
  });
});

test('a sign-in page for one provider leads there, and from there to where the person was going', async () => {
  const led = await visit('GET /login?provider=oidc&returnTo=%2Fclusters');
  expect([led.status, led.headers.get('location')]).toEqual([
    303,
    '/v1/auth/providers/oidc/start?returnTo=%2Fclusters',
  ]);
});

test('who mistypes a password is still led to the other ways in', async () => {
  const typed = { username: 'nobody', password: 'a guess', returnTo: '/clusters' };
  const wrong = await submit('/login', undefined, typed);
  expect(wrong.text).toContain('<a href="/v1/auth/providers/oidc/start?returnTo=%2Fclusters">');
});

test('the page on which one signs in leads to enabled providers, and a refusal is a page to a browser', async () => {
  const login = await ask('GET /login?returnTo=%2Fclusters');
  expect(login.text).toContain(
    '<a href="/v1/auth/providers/oidc/start?returnTo=%2Fclusters">Sign in with <bdi>The oidc</bdi></a>',
  );
  await world.ask('PATCH /v1/auth/providers/oidc', { spec: { displayName: '<script>alert(1)</script>' } });
  expect((await ask('GET /login')).text).not.toContain('<script>');
  const refused = await ask('GET /v1/auth/providers/oidc/callback', { headers: { accept: 'text/html,*/*' } });
  expect([refused.status, refused.headers.get('content-type')]).toEqual([401, 'text/html; charset=utf-8']);
});

test('who is refused on the way to somewhere is led back on that way', async () => {
  await world.ask('PATCH /v1/auth/providers/oidc', {
    spec: { access: { mode: 'users', principals: ['oidc_user://somebody'] } },
  });
  const browser = new Browser();
  const start = await browser.start('oidc', `?returnTo=${encodeURIComponent('/device?user_code=BCDF-GHJK')}`);
  const refused = await browser.open(world.authorized('oidc', '248289', start), { accept: 'text/html' });
  expect(refused.status).toBe(403);
  expect(refused.text).toContain('You may not sign in here with this account. Only an administrator of this plane');
  expect(refused.text).toContain('<a href="/login?returnTo=%2Fdevice%3Fuser_code%3DBCDF-GHJK">');
});

test('who signs in gets a session cookie of this host alone, and no token in an address or a body', async () => {
  const answer = await world.signIn('oidc', '248289');
  const cookies = answer.headers.getSetCookie();
  const session = cookies.find((line) => line.startsWith('__Host-outrider-session=')) ?? '';
  for (const attribute of ['Path=/', 'Secure', 'HttpOnly', 'SameSite=Lax']) expect(session).toContain(attribute);
  expect(answer.text).toBe('');
  expect(answer.headers.get('location')).not.toContain(answer.json.token);
});

test('a sign-in is in the audit log, by whom, and holds nothing that was secret in it', async () => {
  const { json } = await world.signIn('oidc', '248289');
  const listed = await world.ask(`GET /v1/audit?actor=${json.user.id}`);
  expect(listed.json.items).toMatchObject([
    { verb: 'get', user: { uid: json.user.id, username: 'ada' }, requestURI: '/v1/auth/providers/oidc/callback' },
  ]);
  expect(listed.text).not.toContain('code=');
});
