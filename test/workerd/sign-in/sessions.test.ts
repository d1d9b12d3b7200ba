import { env } from 'cloudflare:workers';
import { expect, test } from 'vitest';
import { SESSION_COOKIE } from '#workers/authn/browser/cookie.ts';
import { verifyToken } from '#workers/authn/token.ts';
import { administrator, ask, config, nowSeconds, ORIGIN, outcome, person, tokenFor } from '../management/client.ts';
import { PASSWORD, personWithPassword, READS, sessionOf, visit, WRITES } from './browser.ts';

// Checked by taking out, one at a time: `requireOwnPage`, its branch for a missing Origin, the look at Sec-Fetch-Dest, the comparison of cookie and bearer, the count of session
// cookies, the look at what kind of token a cookie holds, the revocation at sign-out, and the bound by the absolute end. Each time a test that names it failed.

const PAIR = /^__Host-outrider-session=([A-Za-z0-9_.-]+)/;

/** The token in an answer's session cookie; null: it sets none. */
const newToken = (headers: Headers): string | null => PAIR.exec(headers.get('set-cookie') ?? '')?.[1] ?? null;

const signIn = async (username: string, headers: Record<string, string> = {}) =>
  await ask('POST /v1/auth/local', { body: { username, password: PASSWORD, session: true }, headers });

test('a session comes as a cookie for this host alone that no script can read, and not in the answer', async () => {
  const { id, username } = await personWithPassword();
  const answer = await signIn(username);
  expect(answer.json).toMatchObject({ token: null, user: { id } });
  const cookie = answer.headers.get('set-cookie') ?? '';
  expect(cookie).toMatch(
    /^__Host-outrider-session=[A-Za-z0-9_.-]+; Max-Age=7200; Path=\/; Secure; HttpOnly; SameSite=Lax$/,
  );
  expect(answer.text).not.toContain(newToken(answer.headers));
  const me = await ask('GET /v1/me', { headers: { cookie: cookie.split(';')[0] ?? '', ...READS } });
  expect(me.json.user.id).toBe(id);
});

test('without being asked for one, a sign-in sets no cookie', async () => {
  const { username } = await personWithPassword();
  const answer = await ask('POST /v1/auth/local', { body: { username, password: PASSWORD } });
  expect(answer.headers.get('set-cookie')).toBeNull();
  expect(answer.json.token).toMatch(/^[\w.-]+$/);
});

test('a script of the plane’s own pages reads and writes with its cookie', async () => {
  const user = await person({ administrator: true });
  const { cookie } = await sessionOf(user);
  expect(outcome(await ask('GET /v1/users', { headers: { cookie, ...READS } }))).toBe(200);
  const body = { metadata: { name: 'made-by-cookie' }, spec: { password: 'some password 1' } };
  expect(outcome(await ask('POST /v1/users', { body, headers: { cookie, ...WRITES } }))).toBe(201);
});

const FOREIGN: [string, string, Record<string, string>][] = [
  ['GET', 'no Origin, and no word of where it comes from', {}],
  ['GET', 'another site', { 'sec-fetch-site': 'cross-site', 'sec-fetch-dest': 'empty' }],
  ['GET', 'another host of the same site', { 'sec-fetch-site': 'same-site', 'sec-fetch-dest': 'empty' }],
  ['GET', 'an address that was typed or followed', { 'sec-fetch-site': 'none', 'sec-fetch-dest': 'document' }],
  ['GET', 'a page of ours that opens it as a page', { ...READS, 'sec-fetch-dest': 'document' }],
  ['GET', 'a frame of ours', { ...READS, 'sec-fetch-dest': 'iframe' }],
  ['GET', 'a script element', { ...READS, 'sec-fetch-dest': 'script' }],
  ['GET', 'a foreign Origin that calls itself ours', { ...READS, origin: 'https://evil.example' }],
  ['POST', 'no Origin', {}],
  ['POST', 'no Origin, and Sec-Fetch-Site alone', READS],
  ['POST', 'a foreign Origin', { origin: 'https://evil.example' }],
  ['POST', 'a prefix of ours', { origin: 'https://outrider.example.co' }],
  ['POST', 'ours with something behind it', { origin: `${ORIGIN}.evil.example` }],
  ['POST', 'ours without TLS', { origin: ORIGIN.replace('https', 'http') }],
  ['POST', 'an opaque Origin', { origin: 'null' }],
  ['DELETE', 'no Origin', READS],
];

test.each(FOREIGN)('attack: %s with a cookie from %s is refused', async (method, _from, headers) => {
  const { cookie, token } = await sessionOf(await person({ administrator: true }));
  const answer = await visit(`${method} /v1/tokens`, { cookie, headers });
  expect(outcome(answer)).toBe('cross_origin');
  expect(outcome(await ask('GET /v1/me', { token }))).toBe(200);
});

test('a cookie and a bearer token that differ are refused; the same twice is one', async () => {
  const user = await person();
  const { cookie, token } = await sessionOf(user);
  const other = await tokenFor(user);
  expect(outcome(await ask('GET /v1/me', { token: other, headers: { cookie, ...READS } }))).toBe('unauthenticated');
  expect(outcome(await ask('GET /v1/me', { token, headers: { cookie } }))).toBe(200);
  expect(outcome(await ask('GET /v1/me', { token, headers: { cookie: 'theme=dark' } }))).toBe(200);
});

test('attack: a second session cookie, planted before or behind the first, lets nobody in', async () => {
  const { cookie } = await sessionOf(await person());
  const { cookie: planted } = await sessionOf(await person());
  for (const both of [`${cookie}; ${planted}`, `${planted};${cookie}`, `a=b; ${cookie}; ${SESSION_COOKIE}=`]) {
    expect(outcome(await ask('GET /v1/me', { headers: { cookie: both, ...READS } }))).toBe('unauthenticated');
  }
});

test.each([
  `${SESSION_COOKIE}=`,
  `${SESSION_COOKIE}=x`,
  'outrider-session=x',
  `x${SESSION_COOKIE}=x`,
  SESSION_COOKIE,
  '=',
  ';;',
])('a cookie field of "%s" is nobody', async (cookie) => {
  expect(outcome(await ask('GET /v1/me', { headers: { cookie, ...READS } }))).toBe('unauthenticated');
});

test('attack: a token that is no session is no cookie', async () => {
  const user = await person({ administrator: true });
  const made = await ask('POST /v1/tokens', { token: await tokenFor(user), body: { spec: {} } });
  for (const token of [made.json.token, await tokenFor(user), await tokenFor(user, { readOnly: true })]) {
    const headers = { cookie: `${SESSION_COOKIE}=${token}`, ...READS };
    expect(outcome(await ask('GET /v1/me', { headers }))).toBe('unauthenticated');
    expect((await visit('GET /device', { cookie: headers.cookie })).headers.get('location')).toBe(
      '/login?returnTo=%2Fdevice',
    );
  }
});

test('attack: fixation: a cookie from before the sign-in is replaced, and gains nothing', async () => {
  const attacker = await person();
  const planted = await sessionOf(attacker);
  const { id, username } = await personWithPassword();
  const answer = await signIn(username, { cookie: planted.cookie });
  const token = newToken(answer.headers);
  expect(token).not.toBe(planted.token);
  const fresh = await verifyToken(await config(), token ?? '', nowSeconds());
  expect(fresh).toMatchObject({ user: id });
  expect(fresh.token).not.toBe(planted.id);
  const me = await ask('GET /v1/me', { headers: { cookie: planted.cookie, ...READS } });
  expect(me.json.user.id).toBe(attacker);
});

test('attack: replay: after signing out the token is dead, as a cookie and as a bearer', async () => {
  const { cookie, token } = await sessionOf(await person());
  const out = await ask('POST /v1/auth/logout', { headers: { cookie, ...WRITES } });
  expect(out.status).toBe(204);
  expect(out.headers.get('set-cookie')).toMatch(
    /^__Host-outrider-session=; Max-Age=0; Path=\/; Secure; HttpOnly; SameSite=Lax$/,
  );
  expect(outcome(await ask('GET /v1/me', { headers: { cookie, ...READS } }))).toBe('unauthenticated');
  expect(outcome(await ask('GET /v1/me', { token }))).toBe('unauthenticated');
});

test('a session at work is issued anew, under the same id, once in several minutes', async () => {
  const { id, cookie } = await sessionOf(await person(), { rests: 400 });
  const answer = await ask('GET /v1/me', { headers: { cookie, ...READS } });
  const token = newToken(answer.headers) ?? '';
  const principal = await verifyToken(await config(), token, nowSeconds());
  expect(principal.token).toBe(id);
  expect(principal.expiresAt - nowSeconds()).toBeGreaterThan(7190);
  const again = await ask('GET /v1/me', { headers: { cookie: `${SESSION_COOKIE}=${token}`, ...READS } });
  expect(again.headers.get('set-cookie')).toBeNull();
});

test('revoking a session ends every token that it was issued as', async () => {
  const { cookie } = await sessionOf(await person(), { rests: 400 });
  const answer = await ask('GET /v1/me', { headers: { cookie, ...READS } });
  const token = newToken(answer.headers) ?? '';
  expect((await ask('POST /v1/auth/logout', { token })).status).toBe(204);
  for (const old of [cookie, `${SESSION_COOKIE}=${token}`]) {
    expect(outcome(await ask('GET /v1/me', { headers: { cookie: old, ...READS } }))).toBe('unauthenticated');
  }
});

test('a session that rests too long is over, and so is one that is too old, however busy', async () => {
  const resting = await sessionOf(await person(), { rests: 7201 });
  expect(outcome(await ask('GET /v1/me', { headers: { cookie: resting.cookie, ...READS } }))).toBe('unauthenticated');
  const old = await sessionOf(await person(), { rests: 2000, lives: 9000 });
  const answer = await ask('GET /v1/me', { headers: { cookie: old.cookie, ...READS } });
  // 7,000 s are left to it, less than its idle limit.
  const token = newToken(answer.headers) ?? '';
  expect((await verifyToken(await config(), token, nowSeconds())).expiresAt - nowSeconds()).toBeLessThanOrEqual(7000);
});

test('a session that has rested too long is on no list any more', async () => {
  const user = await person();
  const fresh = await sessionOf(user, { rests: 7000 });
  await sessionOf(user, { rests: 7501 });
  const { json } = await ask('GET /v1/tokens', { token: await tokenFor(user) });
  expect(json.items.map(({ id }: { id: string }) => id)).toEqual([fresh.id]);
});

// Tried with the lists' condition on rest in front of it, too: 404.
test.each(['its person', 'an administrator'])(
  'a session that is on no list any more is found and taken back by its id, by %s',
  async (by) => {
    const user = await person();
    const token = by === 'its person' ? await tokenFor(user) : await administrator();
    const { id } = await sessionOf(user, { rests: 7501 });
    // Its token was issued anew, and the use that led to that was not recorded.
    const used = await tokenFor(user, { token: id });
    expect((await ask(`GET /v1/tokens/${id}`, { token })).json.id).toBe(id);
    expect(outcome(await ask(`DELETE /v1/tokens/${id}`, { token }))).toBe(204);
    expect(outcome(await ask('GET /v1/me', { token: used }))).toBe('unauthenticated');
  },
);

test('a bearer token never comes back as a cookie', async () => {
  const { token } = await sessionOf(await person(), { rests: 400 });
  expect((await ask('GET /v1/me', { token })).headers.get('set-cookie')).toBeNull();
});

test('ending all of one’s own ends the session that asks, and the cookie', async () => {
  const user = await person();
  const [mine, other] = [await sessionOf(user), await sessionOf(user)];
  const answer = await ask('DELETE /v1/tokens', { headers: { cookie: mine.cookie, ...WRITES } });
  expect(answer.status).toBe(204);
  expect(answer.headers.get('set-cookie')).toMatch(/Max-Age=0/);
  for (const { token } of [mine, other]) expect(outcome(await ask('GET /v1/me', { token }))).toBe('unauthenticated');
});

test('the settings say how long a session lives and rests', async () => {
  const token = await administrator();
  const { username } = await personWithPassword();
  await ask('PATCH /v1/settings', { token, body: { sessionIdleSeconds: 1000, sessionTtlSeconds: 3000 } });
  expect((await signIn(username)).headers.get('set-cookie')).toMatch(/Max-Age=1000;/);
  const row = await env.DB.prepare(
    'SELECT expires_at - created_at AS lives FROM tokens WHERE idle_seconds = 1000',
  ).first('lives');
  expect(row).toBe(3000);
  await ask('PATCH /v1/settings', { token, body: { sessionIdleSeconds: 7200, sessionTtlSeconds: 16 * 3600 } });
});
