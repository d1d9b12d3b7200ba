import { env } from 'cloudflare:workers';
import { base64url } from 'jose';
import { expect, test } from 'vitest';
import { ask, nowSeconds, ORIGIN, outcome, person, type Answer } from '../management/client.ts';
import { hiddenFields, sessionOf, submit, visit } from './browser.ts';

// Checked by taking out, one at a time: the look at redirect_uri at both ends, the verifier, the single use, the CSRF token, and what a code that is shown twice takes back: each
// time a test that names it failed.

const PATH = '/v1/auth/cli/authorize';
const VERIFIER = 'a-verifier-of-forty-three-characters-or-more';
const challenge = async (verifier: string): Promise<string> =>
  base64url.encode(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier))));

const question = async (change: Record<string, string | undefined> = {}): Promise<string> => {
  const asked: Record<string, string | undefined> = {
    response_type: 'code',
    client_id: 'outrider-cli',
    redirect_uri: 'http://127.0.0.1:53682/callback',
    state: 'a-state',
    code_challenge: await challenge(VERIFIER),
    code_challenge_method: 'S256',
    ...change,
  };
  const given = Object.entries(asked).filter((field): field is [string, string] => field[1] !== undefined);
  return `${PATH}?${new URLSearchParams(given).toString()}`;
};

/** Where a consent leads to. */
async function consent(cookie: string, decision = 'approve', change: Record<string, string> = {}): Promise<URL> {
  const { text } = await visit(`GET ${await question(change)}`, { cookie });
  const answer = await submit(PATH, cookie, { ...hiddenFields(text), decision });
  expect(answer.status).toBe(303);
  return new URL(answer.headers.get('location') ?? '');
}

const exchange = async (code: string, change: Record<string, string> = {}): Promise<Answer> =>
  await visit('POST /v1/auth/cli/token', {
    form: {
      grant_type: 'authorization_code',
      client_id: 'outrider-cli',
      code,
      redirect_uri: 'http://127.0.0.1:53682/callback',
      code_verifier: VERIFIER,
      ...change,
    },
  });

test('a person consents in a browser, and the program on their machine is signed in as them', async () => {
  const user = await person();
  const { cookie } = await sessionOf(user);
  const back = await consent(cookie);
  expect(back.origin + back.pathname).toBe('http://127.0.0.1:53682/callback');
  const { code = '', ...others } = Object.fromEntries(back.searchParams);
  expect(others).toEqual({ state: 'a-state', iss: ORIGIN });
  expect(JSON.stringify((await env.DB.prepare('SELECT * FROM code_grants').all()).results)).not.toContain(code);
  const answer = await exchange(code);
  expect(answer.json).toEqual({ access_token: expect.any(String), token_type: 'Bearer', expires_in: 16 * 3600 });
  expect((await ask('GET /v1/me', { token: answer.json.access_token })).json.user.id).toBe(user);
});

test('a program may listen on any port of the loopback address, and the page lets its form lead there alone', async () => {
  const { cookie } = await sessionOf(await person());
  const { headers, text } = await visit(`GET ${await question({ redirect_uri: 'http://127.0.0.1:1024/' })}`, {
    cookie,
  });
  // Browsers hold form-action against the redirect that answers a form.
  expect(headers.get('content-security-policy')).toContain("form-action 'self' http://127.0.0.1:1024;");
  expect(text).toContain('http://127.0.0.1:1024');
  expect(text).not.toMatch(/<script|javascript:/i);
});

test.each([
  'https://evil.example/',
  'http://evil.example:53682/callback',
  'http://127.0.0.1.evil.example:53682/',
  'http://127.0.0.1:53682@evil.example/',
  'http://evil.example@127.0.0.1:53682/',
  'http://localhost:53682/callback',
  'http://[::1]:53682/callback',
  'https://127.0.0.1:53682/callback',
  'http://127.0.0.1/callback',
  'http://127.0.0.1:0/callback',
  'http://127.0.0.1:65536/',
  'http://127.0.0.1:53682/../x',
  'http://127.0.0.1:53682/?x=y',
  'http://127.0.0.1:53682/#x',
  'http://127.0.0.1:53682\\@evil.example/',
  'http://127.1:53682/',
  'http://2130706433:53682/',
  'http://0.0.0.0:53682/',
  'HTTP://127.0.0.1:53682/',
  ' http://127.0.0.1:53682/',
  "http://127.0.0.1:53682/';script-src *",
  '//evil.example/',
  'javascript:alert(1)',
  'outrider://callback',
  '',
])('attack: a redirect_uri of "%s" is led to by nothing', async (redirect_uri) => {
  const { cookie } = await sessionOf(await person());
  for (const signedIn of [{ cookie }, {}]) {
    const { status, headers } = await visit(`GET ${await question({ redirect_uri })}`, signedIn);
    expect([status, headers.get('location')]).toEqual([400, null]);
  }
  const fields = hiddenFields((await visit(`GET ${await question()}`, { cookie })).text);
  const posted = await submit(PATH, cookie, { ...fields, redirect_uri, decision: 'approve' });
  expect([posted.status, posted.headers.get('location')]).toEqual([400, null]);
});

test.each<[string, Record<string, string | undefined>]>([
  ['no challenge', { code_challenge: undefined }],
  ['a plain challenge', { code_challenge_method: 'plain' }],
  ['no method, which means plain', { code_challenge_method: undefined }],
  ['a challenge that is no hash', { code_challenge: 'x' }],
  ['another client', { client_id: 'other' }],
  ['a token instead of a code', { response_type: 'token' }],
  ['no state', { state: undefined }],
  ['a state with a line break', { state: 'a\r\nlocation: x' }],
])('a question with %s is refused on the spot', async (_what, change) => {
  const { cookie } = await sessionOf(await person());
  const answer = await visit(`GET ${await question(change)}`, { cookie });
  expect([answer.status, answer.headers.get('location')]).toEqual([400, null]);
});

test('who is not signed in is sent to sign in, and back to the question', async () => {
  const path = await question();
  const { headers } = await visit(`GET ${path}`);
  expect(headers.get('location')).toBe(`/login?returnTo=${encodeURIComponent(path)}`);
});

test('a refusal is told to the program', async () => {
  const { cookie } = await sessionOf(await person());
  const back = await consent(cookie, 'deny');
  expect(Object.fromEntries(back.searchParams)).toEqual({ error: 'access_denied', state: 'a-state', iss: ORIGIN });
});

test.each<[string, Record<string, string>, string]>([
  ['another verifier', { code_verifier: VERIFIER.replace('a', 'b') }, 'invalid_grant'],
  ['the challenge for a verifier', { code_verifier: 'x'.repeat(43) }, 'invalid_grant'],
  ['another redirect_uri', { redirect_uri: 'http://127.0.0.1:53683/callback' }, 'invalid_grant'],
])('a code with %s is refused, and spent', async (_what, change, error) => {
  const { cookie } = await sessionOf(await person());
  const code = (await consent(cookie)).searchParams.get('code') ?? '';
  const answer = await exchange(code, change);
  expect([answer.status, answer.json.error]).toEqual([400, error]);
  expect((await exchange(code)).json.error).toBe('invalid_grant');
});

test.each<[string, Record<string, string>, string]>([
  ['another grant type', { grant_type: 'password' }, 'unsupported_grant_type'],
  ['another client', { client_id: 'x' }, 'invalid_client'],
  ['an unknown code', {}, 'invalid_grant'],
  ['an empty verifier', { code_verifier: '' }, 'invalid_request'],
])('%s is refused in OAuth’s words', async (_what, change, error) => {
  const answer = await exchange('x', change);
  expect([answer.status, answer.json.error]).toEqual([400, error]);
});

test('attack: a code that is shown twice takes back what it became (RFC 6749 §4.1.2)', async () => {
  const { cookie } = await sessionOf(await person());
  const code = (await consent(cookie)).searchParams.get('code') ?? '';
  const token = (await exchange(code)).json.access_token;
  expect(outcome(await ask('GET /v1/me', { token }))).toBe(200);
  expect((await exchange(code)).json.error).toBe('invalid_grant');
  expect(outcome(await ask('GET /v1/me', { token }))).toBe('unauthenticated');
});

test('a code ends after a minute', async () => {
  const { cookie } = await sessionOf(await person());
  const code = (await consent(cookie)).searchParams.get('code') ?? '';
  const lives = await env.DB.prepare('SELECT max(expires_at) AS at FROM code_grants').first<number>('at');
  expect(lives).toBeLessThanOrEqual(nowSeconds() + 60);
  await env.DB.prepare('UPDATE code_grants SET expires_at = ?').bind(nowSeconds()).run();
  expect((await exchange(code)).json.error).toBe('invalid_grant');
});

test.each<[string, Record<string, string>]>([
  ['no CSRF token', { csrf: '' }],
  ['another challenge than was shown', { code_challenge: 'A'.repeat(43) }],
  ['another port than was shown', { redirect_uri: 'http://127.0.0.1:4444/callback' }],
])('attack: CSRF: a consent with %s gives nothing', async (_what, change) => {
  const { cookie } = await sessionOf(await person());
  const { text } = await visit(`GET ${await question()}`, { cookie });
  const answer = await submit(PATH, cookie, { ...hiddenFields(text), ...change, decision: 'approve' });
  expect([answer.status, answer.headers.get('location')]).toEqual([403, null]);
});

test('attack: CSRF: a consent that another site’s form sends gives nothing', async () => {
  const { cookie } = await sessionOf(await person());
  const { text } = await visit(`GET ${await question()}`, { cookie });
  for (const headers of [
    { origin: 'https://evil.example' },
    { origin: 'http://127.0.0.1:53682' },
    { origin: 'null' },
    {},
  ]) {
    const form = { ...hiddenFields(text), decision: 'approve' };
    const answer = await visit(`POST ${PATH}`, { cookie, form, headers: { ...headers } });
    expect([answer.status, answer.headers.get('location')]).toEqual([403, null]);
  }
});

test('attack: a state is text and no HTML, and comes back as it was (CVE-2023-32193)', async () => {
  const { cookie } = await sessionOf(await person());
  const state = `"><script>alert(1)</script>&'`;
  const { text } = await visit(`GET ${await question({ state })}`, { cookie });
  expect(text).not.toContain('<script');
  expect((await consent(cookie, 'approve', { state })).searchParams.get('state')).toBe(state);
});
