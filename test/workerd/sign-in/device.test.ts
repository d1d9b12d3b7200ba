import { env } from 'cloudflare:workers';
import { expect, test } from 'vitest';
import { DEVICE_GRANT } from '#schema/api/account/oauth.ts';
import { SESSION_COOKIE } from '#workers/authn/browser/cookie.ts';
import {
  administrator,
  ask,
  nowSeconds,
  ORIGIN,
  outcome,
  person,
  tokenFor,
  type Answer,
} from '../management/client.ts';
import { hiddenFields, sessionOf, submit, visit } from './browser.ts';

// Checked by taking out, one at a time: the count of guesses, the CSRF token, the Origin of forms, escaping, the single use, the interval, the expiry in `pollDeviceGrant`'s
// answer and in `decideDeviceGrant`, and the look at not_before: each time a test that names it failed.

interface Device {
  readonly device_code: string;
  readonly user_code: string;
  readonly verification_uri_complete: string;
}

const CLIENT = { client_id: 'outrider-cli' };

const start = async (more: Record<string, string> = {}, headers: Record<string, string> = {}): Promise<Answer> =>
  await visit('POST /v1/auth/device/code', { form: { ...CLIENT, ...more }, headers });

const device = async (more: Record<string, string> = {}): Promise<Device> => (await start(more)).json;

const poll = async ({ device_code }: { device_code: string }, more: Record<string, string> = {}): Promise<Answer> =>
  await visit('POST /v1/auth/device/token', { form: { ...CLIENT, grant_type: DEVICE_GRANT, device_code, ...more } });

/** OAuth's word for a refusal, and its status. */
const refusal = ({ status, json }: Answer): [number, string] => [status, json.error];

const pageOf = async ({ user_code }: Device, cookie?: string): Promise<Answer> =>
  await visit(`GET /device?user_code=${user_code}`, cookie === undefined ? {} : { cookie });

/** What somebody does at the page. */
async function decide(asked: Device, cookie: string, decision: string): Promise<Answer> {
  const { text } = await pageOf(asked, cookie);
  return await submit('/device', cookie, { ...hiddenFields(text), decision });
}

const statusOf = async (column: string): Promise<unknown> =>
  await env.DB.prepare(`SELECT ${column} FROM device_grants ORDER BY rowid DESC LIMIT 1`).first(column);

test('a device gets two codes and where to go, as RFC 8628 §3.2 has it', async () => {
  const answer = await start();
  expect(answer.status).toBe(200);
  expect(answer.headers.get('cache-control')).toBe('no-store');
  const { user_code: code } = answer.json;
  expect(code).toMatch(/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/);
  expect(answer.json).toEqual({
    device_code: expect.stringMatching(/^[a-z2-7]{40}$/),
    user_code: code,
    verification_uri: `${ORIGIN}/device`,
    verification_uri_complete: `${ORIGIN}/device?user_code=${code}`,
    expires_in: 600,
    interval: 5,
  });
});

test('codes are kept as hashes alone', async () => {
  const { device_code, user_code } = await device();
  const rows = JSON.stringify((await env.DB.prepare('SELECT * FROM device_grants').all()).results);
  expect(rows).not.toContain(device_code);
  expect(rows).not.toContain(user_code);
  expect(rows).not.toContain(user_code.replace('-', ''));
});

test('a person approves in a browser, and the device is signed in as them, once', async () => {
  const user = await person();
  const { cookie } = await sessionOf(user);
  const asked = await device({ device_name: 'laptop' });
  expect(refusal(await poll(asked))).toEqual([400, 'authorization_pending']);
  expect((await decide(asked, cookie, 'approve')).text).toContain('signed in');
  const answer = await poll(asked);
  expect(answer.json).toEqual({ access_token: expect.any(String), token_type: 'Bearer', expires_in: 16 * 3600 });
  expect(answer.headers.get('cache-control')).toBe('no-store');
  const token = answer.json.access_token;
  expect((await ask('GET /v1/me', { token })).json).toMatchObject({ user: { id: user }, token: { readOnly: false } });
  const { json } = await ask('GET /v1/tokens', { token });
  expect(json.items.map(({ spec }: any) => spec.description)).toContain('outrider-cli on laptop, by device code');
  expect(refusal(await poll(asked))).toEqual([400, 'invalid_grant']);
});

test('two polls at once after an approval get one token', async () => {
  const { cookie } = await sessionOf(await person());
  const asked = await device();
  await decide(asked, cookie, 'approve');
  const answers = await Promise.all([poll(asked), poll(asked), poll(asked)]);
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
});

test('who polls faster than the interval is told to slow down, and the interval grows', async () => {
  const asked = await device();
  expect(refusal(await poll(asked))).toEqual([400, 'authorization_pending']);
  expect(refusal(await poll(asked))).toEqual([400, 'slow_down']);
  expect(await statusOf('interval_seconds')).toBe(10);
  const later = async (seconds: number) =>
    await env.DB.prepare('UPDATE device_grants SET last_poll_at = ?')
      .bind(nowSeconds() - seconds)
      .run();
  await later(7);
  expect(refusal(await poll(asked))).toEqual([400, 'slow_down']);
  await later(15);
  expect(refusal(await poll(asked))).toEqual([400, 'authorization_pending']);
});

test('a refusal is told to the device, and cannot be taken back', async () => {
  const { cookie } = await sessionOf(await person());
  const asked = await device();
  const { text } = await pageOf(asked, cookie);
  await submit('/device', cookie, { ...hiddenFields(text), decision: 'deny' });
  expect(refusal(await poll(asked))).toEqual([400, 'access_denied']);
  expect((await submit('/device', cookie, { ...hiddenFields(text), decision: 'approve' })).status).toBe(404);
  expect(refusal(await poll(asked))).toEqual([400, 'access_denied']);
});

test('a code ends: for the device, for the page, and for a page that was open', async () => {
  const { cookie } = await sessionOf(await person());
  const asked = await device();
  const { text } = await pageOf(asked, cookie);
  await env.DB.prepare('UPDATE device_grants SET expires_at = ?').bind(nowSeconds()).run();
  expect(refusal(await poll(asked))).toEqual([400, 'expired_token']);
  expect((await pageOf(asked, cookie)).status).toBe(404);
  expect((await submit('/device', cookie, { ...hiddenFields(text), decision: 'approve' })).status).toBe(404);
  expect(refusal(await poll(asked))).toEqual([400, 'expired_token']);
});

test('an approval that nobody collected in time is worth nothing', async () => {
  const { cookie } = await sessionOf(await person());
  const asked = await device();
  await decide(asked, cookie, 'approve');
  await env.DB.prepare('UPDATE device_grants SET expires_at = ?').bind(nowSeconds()).run();
  expect(refusal(await poll(asked))).toEqual([400, 'expired_token']);
});

test.each<[string, string, Record<string, string>, string]>([
  ['another grant', 'token', { grant_type: 'password', device_code: 'x', ...CLIENT }, 'unsupported_grant_type'],
  ['an unknown code', 'token', { grant_type: DEVICE_GRANT, device_code: 'x', ...CLIENT }, 'invalid_grant'],
  ['no code', 'token', { grant_type: DEVICE_GRANT, ...CLIENT }, 'invalid_request'],
  ['an empty code', 'token', { grant_type: DEVICE_GRANT, device_code: '', ...CLIENT }, 'invalid_request'],
  ['a long code', 'token', { grant_type: DEVICE_GRANT, device_code: 'x'.repeat(257), ...CLIENT }, 'invalid_request'],
  ['another client', 'token', { grant_type: DEVICE_GRANT, device_code: 'x', client_id: 'y' }, 'invalid_client'],
  ['another client', 'code', { client_id: 'y' }, 'invalid_client'],
  ['no client', 'code', {}, 'invalid_request'],
  ['a long name', 'code', { ...CLIENT, device_name: 'x'.repeat(65) }, 'invalid_request'],
])('%s is refused in OAuth’s words (%s)', async (_what, path, form, error) => {
  const answer = await visit(`POST /v1/auth/device/${path}`, { form });
  expect(refusal(answer)).toEqual([400, error]);
  expect(Object.keys(answer.json)).toEqual(['error', 'error_description']);
});

test('no parameter may come twice, none but a form is read, and what is not known is passed over', async () => {
  const send = async (body: string, type = 'application/x-www-form-urlencoded') =>
    await ask('POST /v1/auth/device/code', { body, headers: { 'content-type': type } });
  expect(refusal(await send('client_id=outrider-cli&client_id=x'))).toEqual([400, 'invalid_request']);
  expect(refusal(await send('{"client_id":"outrider-cli"}', 'application/json'))).toEqual([400, 'invalid_request']);
  expect((await send('client_id=outrider-cli&scope=anything')).status).toBe(200);
});

test('the page says which client asks, whence and when, and shows the code again', async () => {
  const user = await person();
  const { cookie } = await sessionOf(user);
  const asked = (await start({ device_name: 'ada’s laptop' }, { 'cf-connecting-ip': '192.0.2.33' })).json;
  const { text, headers } = await visit(`GET /device?user_code=${asked.user_code.toLowerCase().replace('-', '%20')}`, {
    cookie,
    headers: { 'cf-connecting-ip': '192.0.2.44' },
  });
  for (const shown of ['outrider-cli', 'ada’s laptop', '192.0.2.33', '192.0.2.44', asked.user_code, user]) {
    expect(text).toContain(shown);
  }
  expect(text).toMatch(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC/);
  expect(text).not.toMatch(/<script|javascript:|\son\w+=/i);
  const style = /<style>([^<]*)<\/style>/.exec(text)?.[1] ?? '';
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(style)));
  expect(headers.get('content-security-policy')).toBe(
    `default-src 'none'; style-src 'sha256-${btoa(String.fromCharCode(...hash))}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'`,
  );
  // no-referrer would make browsers send `Origin: null` with the form.
  expect(headers.get('referrer-policy')).toBe('same-origin');
  expect(headers.get('cache-control')).toBe('no-store');
  expect(headers.get('x-content-type-options')).toBe('nosniff');
});

test('attack: what a device calls itself, and a code in the address, are text and no HTML (CVE-2023-32192)', async () => {
  const { cookie } = await sessionOf(await person());
  const name = `"><script>alert(1)</script>&'`;
  const { text } = await pageOf(await device({ device_name: name }), cookie);
  expect(text).not.toContain('<script');
  expect(text).toContain('&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;&#39;');
  const reflected = await visit(`GET /device?user_code=${encodeURIComponent('"><script>')}`, { cookie });
  expect(reflected.text).not.toContain('<script');
});

test('who is not signed in is sent to sign in, and back to the code', async () => {
  const asked = await device();
  const { status, headers } = await pageOf(asked);
  expect(status).toBe(303);
  expect(headers.get('location')).toBe(`/login?returnTo=${encodeURIComponent(`/device?user_code=${asked.user_code}`)}`);
  const foreign = await visit('GET /device?user_code=//evil.example');
  expect(foreign.headers.get('location')).toBe('/login?returnTo=%2Fdevice');
});

test.each<[string, (fields: Record<string, string>) => Record<string, string>, Record<string, string>]>([
  ['another site’s form', (fields) => fields, { origin: 'https://evil.example' }],
  ['a form without an Origin', (fields) => fields, {}],
  ['an opaque Origin', (fields) => fields, { origin: 'null' }],
  ['no CSRF token', ({ csrf: _, ...fields }) => fields, { origin: ORIGIN }],
  ['an empty CSRF token', (fields) => ({ ...fields, csrf: '' }), { origin: ORIGIN }],
  ['another CSRF token', (fields) => ({ ...fields, csrf: 'A'.repeat(43) }), { origin: ORIGIN }],
])('attack: CSRF: an approval by %s changes nothing', async (_what, change, headers) => {
  const { cookie } = await sessionOf(await person());
  const asked = await device();
  const fields = hiddenFields((await pageOf(asked, cookie)).text);
  const answer = await visit('POST /device', { cookie, form: { ...change(fields), decision: 'approve' }, headers });
  expect([400, 403]).toContain(answer.status);
  expect(refusal(await poll(asked))).toEqual([400, 'authorization_pending']);
});

test('attack: CSRF: a token of another session, or of a form for another code, changes nothing', async () => {
  const user = await person();
  const [mine, other] = [await sessionOf(user), await sessionOf(await person())];
  const [asked, another] = [await device(), await device()];
  const theirs = hiddenFields((await pageOf(asked, other.cookie)).text);
  expect((await submit('/device', mine.cookie, { ...theirs, decision: 'approve' })).status).toBe(403);
  const { csrf = '' } = hiddenFields((await pageOf(another, mine.cookie)).text);
  const swapped = { user_code: asked.user_code, csrf, decision: 'approve' };
  expect((await submit('/device', mine.cookie, swapped)).status).toBe(403);
  expect(refusal(await poll(asked))).toEqual([400, 'authorization_pending']);
});

test('attack: a lesser token in a browser’s cookie approves nothing', async () => {
  const user = await person({ administrator: true });
  const asked = await device();
  const made = await ask('POST /v1/tokens', { token: await tokenFor(user), body: { spec: { readOnly: true } } });
  for (const token of [made.json.token, await tokenFor(user)]) {
    const answer = await submit('/device', `${SESSION_COOKIE}=${token}`, {
      user_code: asked.user_code,
      csrf: 'A'.repeat(43),
      decision: 'approve',
    });
    expect(answer.status).toBe(401);
  }
});

test('attack: codes are guessed a few times only by a person; then the right one does not help', async () => {
  const asked = await device();
  const { cookie } = await sessionOf(await person());
  for (let i = 0; i < 10; i++) {
    expect((await visit(`GET /device?user_code=BBBB-BBB${'BCDFGHJKLM'.charAt(i)}`, { cookie })).status).toBe(404);
  }
  const refused = await pageOf(asked, cookie);
  expect(refused.status).toBe(429);
  expect(refused.headers.get('retry-after')).toBe('900');
  const another = await sessionOf(await person());
  expect((await pageOf(asked, another.cookie)).status).toBe(200);
});

test('attack: codes are guessed a few times only from an address, by however many people', async () => {
  const asked = await device();
  const headers = { 'cf-connecting-ip': '192.0.2.77' };
  for (let someone = 0; someone < 5; someone++) {
    const { cookie } = await sessionOf(await person());
    for (let i = 0; i < 6; i++) await visit('GET /device?user_code=BBBB-BBBB', { cookie, headers });
  }
  const { cookie } = await sessionOf(await person());
  expect((await visit(`GET /device?user_code=${asked.user_code}`, { cookie, headers })).status).toBe(429);
  expect((await pageOf(asked, cookie)).status).toBe(200);
});

test('right codes count against nobody', async () => {
  const { cookie } = await sessionOf(await person());
  const asked = await device();
  for (let i = 0; i < 12; i++) expect((await pageOf(asked, cookie)).status).toBe(200);
});

test('one address starts so many devices and no more', async () => {
  const headers = { 'cf-connecting-ip': '192.0.2.99' };
  for (let i = 0; i < 30; i++) expect((await start({}, headers)).status).toBe(200);
  const answer = await start({}, headers);
  expect(refusal(answer)).toEqual([429, 'slow_down']);
  expect(answer.headers.get('retry-after')).toBe('600');
});

test.each<[string, (user: string, token: string) => Promise<Answer>]>([
  [
    'disabled',
    async (user, token) => await ask(`PATCH /v1/users/${user}`, { token, body: { spec: { enabled: false } } }),
  ],
  ['rid of all tokens', async (user, token) => await ask(`DELETE /v1/users/${user}/tokens`, { token })],
])('an approval of somebody who is %s before it is collected is worth nothing', async (_what, change) => {
  const user = await person();
  const { cookie } = await sessionOf(user);
  const asked = await device();
  await decide(asked, cookie, 'approve');
  expect((await change(user, await administrator())).status).toBeLessThan(300);
  expect(refusal(await poll(asked))).toEqual([400, 'access_denied']);
});

test('an approval of somebody who is gone is gone', async () => {
  const user = await person();
  const { cookie } = await sessionOf(user);
  const asked = await device();
  await decide(asked, cookie, 'approve');
  expect(outcome(await ask(`DELETE /v1/users/${user}`, { token: await administrator() }))).toBe(204);
  expect(refusal(await poll(asked))).toEqual([400, 'invalid_grant']);
});
