import { env } from 'cloudflare:workers';
import { applyD1Migrations, reset } from 'cloudflare:test';
import { beforeEach, expect, test } from 'vitest';
import { ask, ORIGIN, outcome, person } from '../management/client.ts';
import { hiddenFields, PASSWORD, personWithPassword, READS, sessionOf, submit, visit } from './browser.ts';

// Checked by taking out, one at a time: `requireOwnForm`, `localPath` in the form and in its answer, escaping, and the throttle: each time a test that names it failed.

beforeEach(async () => {
  await reset();
  await applyD1Migrations(env.DB, env.MIGRATIONS);
});

const cookieOf = (headers: Headers): string => headers.get('set-cookie')?.split(';')[0] ?? '';

test('a person signs in by the form, and is led back', async () => {
  const { id, username } = await personWithPassword();
  const form = hiddenFields((await visit('GET /login?returnTo=%2Fdevice%3Fuser_code%3DBCDF-GHJK')).text);
  const answer = await submit('/login', undefined, { ...form, username, password: PASSWORD });
  expect([answer.status, answer.headers.get('location')]).toEqual([303, '/device?user_code=BCDF-GHJK']);
  expect(answer.headers.get('set-cookie')).toMatch(/; Path=\/; Secure; HttpOnly; SameSite=Lax$/);
  const me = await ask('GET /v1/me', { headers: { cookie: cookieOf(answer.headers), ...READS } });
  expect(me.json.user.id).toBe(id);
  expect((await visit('GET /login', { cookie: cookieOf(answer.headers) })).text).toContain(username);
});

test('a password for one use is changed at the form', async () => {
  const { username } = await personWithPassword({ passwordPending: true });
  const first = await submit('/login', undefined, { username, password: PASSWORD, returnTo: '/device' });
  expect(first.status).toBe(403);
  expect(first.text).toContain('name="newPassword"');
  expect(first.headers.get('set-cookie')).toBeNull();
  const short = { username, password: PASSWORD, newPassword: 'short', returnTo: '/device' };
  expect((await submit('/login', undefined, short)).status).toBe(422);
  const known = { ...short, newPassword: 'password1234' };
  expect((await submit('/login', undefined, known)).text).toContain('The new password is too easy to guess');
  const changed = await submit('/login', undefined, { ...short, newPassword: 'another password' });
  expect([changed.status, changed.headers.get('location')]).toEqual([303, '/device']);
});

test('a wrong password, an unknown name and a disabled account get the same page', async () => {
  const { username } = await personWithPassword();
  const gone = await personWithPassword();
  await env.DB.prepare('UPDATE users SET enabled = 0 WHERE id = ?').bind(gone.id).run();
  const pages = [];
  for (const [name, password] of [
    [username, 'wrong password'],
    ['nobody-at-all', 'wrong password'],
    [gone.username, PASSWORD],
  ] as const) {
    const answer = await submit('/login', undefined, { username: name, password });
    pages.push([answer.status, answer.text.replaceAll(name, 'X'), answer.headers.get('set-cookie')]);
  }
  expect(pages[0]).toEqual([401, expect.stringContaining('The name or the password is wrong.'), null]);
  expect(pages[1]).toEqual(pages[0]);
  expect(pages[2]).toEqual(pages[0]);
});

test('no page ever shows a password again', async () => {
  const { username } = await personWithPassword();
  const answer = await submit('/login', undefined, {
    username,
    password: 'a wrong password',
    newPassword: 'y'.repeat(20),
  });
  expect(answer.text).not.toMatch(/a wrong password|yyyy/);
});

test('the form is throttled as the API is, together with it', async () => {
  const { username } = await personWithPassword();
  for (let i = 0; i < 5; i++) {
    await submit('/login', undefined, { username, password: `guess ${i}` });
    await ask('POST /v1/auth/local', { body: { username, password: `guess ${i}` } });
  }
  const answer = await submit('/login', undefined, { username, password: PASSWORD });
  expect(answer.status).toBe(429);
  expect(answer.headers.get('retry-after')).toBe('300');
  const api = await ask('POST /v1/auth/local', { body: { username, password: PASSWORD } });
  expect([outcome(api), api.headers.get('retry-after')]).toEqual(['throttled', '300']);
});

test.each([{}, { origin: 'https://evil.example' }, { origin: 'null' }, { origin: `${ORIGIN}.evil.example` }])(
  'attack: nobody is signed in by a form with %o',
  async (headers: Record<string, string>) => {
    const { username } = await personWithPassword();
    const answer = await visit('POST /login', { form: { username, password: PASSWORD }, headers });
    expect(answer.status).toBe(403);
    expect(answer.headers.get('set-cookie')).toBeNull();
  },
);

test.each([
  'https://evil.example/',
  '//evil.example/',
  '/\\evil.example/',
  '\\\\evil.example',
  '/\t/evil.example',
  '/\n/evil.example',
  '/.//evil.example',
  '/x/..//evil.example',
  'javascript:alert(1)',
  'evil.example',
  '@evil.example',
  ' /device',
  `${ORIGIN}@evil.example`,
])('attack: open redirect: a sign-in does not lead back to "%s"', async (returnTo) => {
  const { username, id } = await personWithPassword();
  const answer = await submit('/login', undefined, { username, password: PASSWORD, returnTo });
  expect([answer.status, answer.headers.get('location')]).toEqual([303, '/login']);
  const page = await visit(`GET /login?returnTo=${encodeURIComponent(returnTo)}`);
  expect(hiddenFields(page.text)['returnTo']).toBe('');
  const { cookie } = await sessionOf(id);
  const signedIn = await visit(`GET /login?returnTo=${encodeURIComponent(returnTo)}`, { cookie });
  expect([signedIn.status, signedIn.headers.get('location')]).toEqual([200, null]);
});

test('a path that is longer than any of ours is led back to by nothing', async () => {
  const page = await visit(`GET /login?returnTo=/${'x'.repeat(3000)}`);
  expect(hiddenFields(page.text)['returnTo']).toBe('');
});

test('attack: a name and a path are text and no HTML (CVE-2021-25313, CVE-2022-43760)', async () => {
  const username = `"><script>alert(1)</script>`;
  const answer = await submit('/login', undefined, { username, password: 'x', returnTo: `/"><script>` });
  expect(answer.status).toBe(401);
  expect(answer.text).not.toContain('<script');
  expect((await visit(`GET /login?returnTo=${encodeURIComponent('/"><script>')}`)).text).not.toContain('<script');
});

test('attack: fixation: the session from before a sign-in by the form is replaced', async () => {
  const planted = await sessionOf(await person());
  const { username } = await personWithPassword();
  const answer = await submit('/login', planted.cookie, { username, password: PASSWORD });
  expect(answer.status).toBe(303);
  expect(cookieOf(answer.headers)).not.toBe(planted.cookie);
});

test('a parameter that comes twice, or a body that is no form, is refused as a page', async () => {
  const twice = await visit('GET /login?returnTo=/a&returnTo=/b');
  expect(twice.status).toBe(400);
  expect(twice.headers.get('content-type')).toBe('text/html; charset=utf-8');
  const headers = { origin: ORIGIN, 'content-type': 'text/plain' };
  expect((await visit('POST /login', { form: { username: 'a', password: 'b' }, headers })).status).toBe(400);
  expect((await visit('PUT /login')).headers.get('allow')).toBe('GET, POST');
});
