import { env, exports } from 'cloudflare:workers';
import { base64url, SignJWT } from 'jose';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ask, ORIGIN, outcome } from '../management/client.ts';
import { OidcProvider, type IdToken } from '../providers/support/oidc.ts';
import { Browser, testedOf, World } from '../providers/support/world.ts';

// Checked by taking out, one at a time: the nonce, the check of signatures, the note of flows that came back, the comparison of providers and of states, the form of returnTo, the
// origin of next pages, the settings that are fixed, the comparison of issuers, the second look at the provider, the refusal of HEAD and of two cookies. Each time the test that
// names it failed.

let world: World;
let browser: Browser;
beforeEach(async () => {
  world = await World.make();
  world.oidc.people.set('ada', { preferred_username: 'ada', groups: ['staff'] });
  world.gitHub.addAccount('octocat', { orgs: ['acme'], teams: ['acme/platform'] });
  browser = new Browser();
});
afterEach(() => {
  vi.restoreAllMocks();
});

const COOKIE = '__Host-outrider-signin';
const people = async (): Promise<number | null> =>
  await env.DB.prepare("SELECT count(*) AS n FROM users WHERE password_hash = '!'").first('n');
const begun = async (): Promise<string> => await world.authorized('oidc', 'ada', await browser.start('oidc'));

test('a forged state is refused, and so is none; neither uses up the sign-in that was begun', async () => {
  const callback = new URL(await begun());
  const honest = callback.href;
  for (const state of ['', 'guess', callback.searchParams.get('state')?.slice(1) ?? '']) {
    callback.searchParams.set('state', state);
    expect(outcome(await browser.open(callback.href))).toBe('sign_in_failed');
  }
  callback.searchParams.delete('state');
  expect(outcome(await browser.open(callback.href))).toBe('sign_in_failed');
  expect(await people()).toBe(0);
  expect((await browser.open(honest)).status).toBe(303);
});

test('a cookie that nobody sealed, or of which a character was changed, is no sign-in', async () => {
  const callback = await begun();
  const sealed = browser.cookies.get(COOKIE) ?? '';
  // Not the last: some of its bits are none of the text's.
  const forged = `${sealed.slice(0, -9)}${sealed.at(-9) === 'A' ? 'B' : 'A'}${sealed.slice(-8)}`;
  for (const value of [forged, JSON.stringify({ provider: 'oidc', state: 'x' }), 'a.b.c', '']) {
    browser.cookies.set(COOKIE, value);
    expect(outcome(await browser.open(callback))).toBe('sign_in_failed');
  }
  browser.cookies.set(COOKIE, `${sealed}; ${COOKIE}=${forged}`);
  expect(outcome(await browser.open(callback))).toBe('sign_in_failed');
  browser.cookies.set(COOKIE, sealed);
  expect((await browser.open(callback)).status).toBe(303);
});

test('a state is good once: a replay is refused, with another code too (as CVE-2026-44946)', async () => {
  const start = await browser.start('oidc');
  const sealed = browser.cookies.get(COOKIE) ?? '';
  const [first, second] = [await world.authorized('oidc', 'ada', start), await world.authorized('oidc', 'ada', start)];
  expect((await browser.open(first)).status).toBe(303);
  browser.cookies.set(COOKIE, sealed);
  const replay = await browser.open(second);
  expect([outcome(replay), replay.json.detail]).toEqual([
    'sign_in_failed',
    expect.stringContaining('came back before'),
  ]);
});

test('of two callbacks at once one signs in', async () => {
  const start = await browser.start('oidc');
  const callbacks = [await world.authorized('oidc', 'ada', start), await world.authorized('oidc', 'ada', start)];
  const answers = await Promise.all(callbacks.map(async (callback) => await browser.open(callback)));
  expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([303, 401]);
});

test('session fixation: a callback of another browser signs nobody in, whether this one began a sign-in or not', async () => {
  const attackers = await begun();
  const victim = new Browser();
  expect(outcome(await victim.open(attackers))).toBe('sign_in_failed');
  await victim.start('oidc');
  expect(outcome(await victim.open(attackers))).toBe('sign_in_failed');
  expect(await people()).toBe(0);
});

test('a question whether the callback is there does not use it up', async () => {
  const callback = await begun();
  const cookie = `${COOKIE}=${browser.cookies.get(COOKIE)}`;
  const head = await exports.default.fetch(callback, { method: 'HEAD', headers: { cookie } });
  expect(head.status).toBe(405);
  expect((await browser.open(callback)).status).toBe(303);
});

test.each([
  'https://evil.example.com/',
  '//evil.example.com/',
  '/\\evil.example.com/',
  '\\\\evil.example.com',
  '/\t/evil.example.com',
  '/%0d%0aset-cookie:a=b'.replace('%0d%0a', '\r\n'),
  'javascript:alert(1)',
  'evil',
  '',
  '/.//evil.example.com/',
  `/${'x'.repeat(1024)}`,
])('open redirect: returnTo=%o is refused before anything is begun', async (returnTo) => {
  const answer = await browser.start('oidc', `?returnTo=${encodeURIComponent(returnTo)}`);
  expect(outcome(answer)).toBe('invalid');
  expect(answer.headers.has('location')).toBe(false);
  expect(browser.cookies.size).toBe(0);
});

test('mix-up: the flow of one provider does not end at the callback of another', async () => {
  await world.add('second', {
    type: 'oidc',
    issuer: world.oidc.issuer,
    clientId: 'outrider',
    clientSecret: 'oidc-client-secret',
  });
  const callback = await begun();
  for (const other of ['second', 'github']) {
    const answer = await browser.open(callback.replace('/oidc/', `/${other}/`));
    expect([outcome(answer), answer.json.detail]).toEqual([
      'sign_in_failed',
      expect.stringContaining('another provider'),
    ]);
  }
});

test('mix-up: an answer that says that it is of another issuer, or of none, is refused (RFC 9207)', async () => {
  for (const issuer of ['https://evil.example.com', null]) {
    const callback = new URL(await begun());
    if (issuer === null) callback.searchParams.delete('iss');
    else callback.searchParams.set('iss', issuer);
    expect(outcome(await browser.open(callback.href))).toBe('sign_in_failed');
  }
  expect(await people()).toBe(0);
});

const unsecured = ({ header, claims }: IdToken, alg: string): string =>
  [{ ...header, alg }, claims].map((part) => base64url.encode(JSON.stringify(part))).join('.') + '.';

/** Signs with what everybody knows: the provider's public key, as the secret of an HMAC. */
const withPublicKey =
  (secret: () => string) =>
  async ({ claims }: IdToken) =>
    await new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS256', kid: 'one' })
      .sign(
        await crypto.subtle.importKey(
          'raw',
          new TextEncoder().encode(secret()),
          { name: 'HMAC', hash: 'SHA-256' },
          false,
          ['sign'],
        ),
      );

const withOwnKey =
  (kid: string) =>
  async ({ claims }: IdToken) => {
    const { privateKey, publicKey } = (await crypto.subtle.generateKey(
      { name: 'RSASSA-PKCS1-v1_5', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' },
      true,
      ['sign', 'verify'],
    )) as CryptoKeyPair;
    const jwk = (await crypto.subtle.exportKey('jwk', publicKey)) as JsonWebKey;
    return await new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid, jwk }).sign(privateKey);
  };

test.each<[string, () => (token: IdToken) => Promise<string>]>([
  ['of no algorithm', () => async (token) => unsecured(token, 'none')],
  ['of no algorithm, in other letters', () => async (token) => unsecured(token, 'None')],
  ['whose HMAC has the public key for its secret', () => withPublicKey(() => JSON.stringify(world.oidc.jwk))],
  ['whose HMAC has the modulus for its secret', () => withPublicKey(() => String(world.oidc.jwk['n']))],
  ['whose HMAC has the client secret for its secret', () => withPublicKey(() => 'oidc-client-secret')],
  ['that brings its own key along', () => withOwnKey('mine')],
  ["that says the provider's key and is signed by another", () => withOwnKey('one')],
])('algorithm confusion: an ID token %s is refused', async (_what, forge) => {
  world.oidc.forge = forge();
  expect(outcome(await world.signIn('oidc', 'ada'))).toBe('sign_in_failed');
  expect(await people()).toBe(0);
});

test.each<[string, (claims: Record<string, unknown>) => void]>([
  ['without a nonce', (claims) => delete claims['nonce']],
  ['with the nonce of another sign-in', (claims) => (claims['nonce'] = 'another')],
  ['for another client', (claims) => (claims['aud'] = 'another')],
  ['of another issuer', (claims) => (claims['iss'] = 'https://evil.example.com')],
  ['that has expired', (claims) => (claims['exp'] = 1)],
  ['without a subject', (claims) => delete claims['sub']],
])('an ID token %s is refused', async (_what, change) => {
  world.oidc.tamper = ({ claims }) => change(claims);
  expect(outcome(await world.signIn('oidc', 'ada'))).toBe('sign_in_failed');
  expect(await people()).toBe(0);
});

test('a provider that is disabled while somebody is on their way lets nobody in', async () => {
  const callback = await begun();
  await world.ask('POST /v1/auth/providers/oidc/disable');
  expect(outcome(await browser.open(callback))).toBe('not_found');
  expect(outcome(await browser.start('oidc'))).toBe('not_found');
  expect(await people()).toBe(0);
});

test('a provider that is disabled while the code is exchanged lets nobody in, known or not', async () => {
  const known = await world.signIn('oidc', 'ada');
  world.oidc.people.set('bob', { preferred_username: 'bob' });
  const disable = async () => void (await world.ask('POST /v1/auth/providers/oidc/disable'));
  for (const who of ['ada', 'bob']) {
    world.oidc.during = disable;
    expect(outcome(await world.signIn('oidc', who))).toBe('not_found');
    await world.ask('POST /v1/auth/providers/oidc/enable');
  }
  expect(outcome(await ask('GET /v1/me', { token: known.json.token }))).toBe('unauthenticated');
  expect(await people()).toBe(1);
});

test('a next page at another host is not asked for: the access of a person goes to GitHub alone', async () => {
  const asked: string[] = [];
  const fetched = vi.mocked(globalThis.fetch).getMockImplementation();
  vi.mocked(globalThis.fetch).mockImplementation(async (input, init) => {
    asked.push(new URL(new Request(input, init).url).host);
    return await (fetched?.(input, init) ?? Promise.reject(new Error('nobody')));
  });
  world.gitHub.addAccount('busy', { teams: Array.from({ length: 101 }, (_, i) => `acme/t${i}`) });
  world.gitHub.nextPage = (url) => url.href.replace('api.github.com', 'evil.example.com');
  expect(outcome(await world.signIn('github', 'busy'))).toBe('provider_unavailable');
  expect(asked).toContain('api.github.com');
  expect(asked).not.toContain('evil.example.com');
});

test('secrets of providers and people are never rendered, never logged, and lie in the database sealed', async () => {
  world.oidc.people.set('bob', { preferred_username: 'bob' });
  await world.signIn('oidc', 'ada');
  const { json } = await world.signIn('github', 'octocat');
  const config = { type: 'github', clientId: 'Iv1.outrider', clientSecret: 'github-client-secret' };
  const answers = [
    await world.ask('GET /v1/auth/providers'),
    await world.ask('GET /v1/auth/providers/github'),
    await world.ask('GET /v1/auth/providers/oidc'),
    await world.ask('PATCH /v1/auth/providers/github', { spec: { config } }),
    await world.ask('POST /v1/auth/providers/github/test'),
    await world.ask('POST /v1/auth/providers/oidc/test'),
    await world.ask(`GET /v1/users/${json.user.id}/principals`),
    await world.ask(`POST /v1/users/${json.user.id}/refresh`),
    await world.ask('GET /v1/principals?provider=github&query=octo'),
    await world.ask('POST /v1/auth/providers', {
      metadata: { name: 'x' },
      spec: { displayName: 'x', config: { ...config, clientSecret: 7 } },
    }),
    await ask('GET /v1/auth/providers/enabled'),
  ];
  world.oidc.forge = async () => 'not.a.token';
  answers.push(await world.signIn('oidc', 'ada'));
  const callback = new URL(await begun());
  answers.push(await browser.open(callback.href));
  const tables = await env.DB.batch(
    ['providers', 'user_principals', 'tokens', 'finished_flows'].map((table) =>
      env.DB.prepare(`SELECT * FROM ${table}`),
    ),
  );
  const code = String(callback.searchParams.get('code'));
  for (const text of [...answers.map((answer) => answer.text), ...world.logged, JSON.stringify(tables)]) {
    for (const secret of ['github-client-secret', 'oidc-client-secret', code]) expect(text).not.toContain(secret);
    expect(world.gitHub.holdsToken(text)).toBe(false);
  }
  expect(world.logged.length).toBeGreaterThan(10);
});

test('settings that say whose word is believed cannot be changed: a secret does not go elsewhere, and nobody becomes another', async () => {
  const oidc = { type: 'oidc', issuer: 'https://evil.example.com', clientId: 'outrider' };
  expect(outcome(await world.ask('PATCH /v1/auth/providers/oidc', { spec: { config: oidc } }))).toBe('invalid');
  const github = { type: 'github', hostname: 'evil.example.com', clientId: 'Iv1.outrider' };
  expect(outcome(await world.ask('PATCH /v1/auth/providers/github', { spec: { config: github } }))).toBe('invalid');
  expect(outcome(await world.ask('PATCH /v1/auth/providers/oidc', { spec: { config: github } }))).toBe('invalid');
});

test('a document of another issuer is refused, and so is one that serves every tenant of a host', async () => {
  const tenants = await OidcProvider.make('https://login.microsoftonline.com');
  tenants.metadata = { issuer: 'https://login.microsoftonline.com/{tenantid}/v2.0' };
  const fetched = vi.mocked(globalThis.fetch).getMockImplementation();
  vi.mocked(globalThis.fetch).mockImplementation(async (input, init) => {
    const request = new Request(input, init);
    const url = new URL(request.url);
    if (url.origin !== tenants.issuer) return await (fetched?.(input, init) ?? Promise.reject(new Error('nobody')));
    return await tenants.handle(new Request(url.origin + url.pathname.replace('/common/v2.0', '')));
  });
  const config = { type: 'oidc', issuer: 'https://login.microsoftonline.com/common/v2.0', clientId: 'x' };
  await world.ask('POST /v1/auth/providers', { metadata: { name: 'tenants' }, spec: { displayName: 'x', config } });
  const common = await world.ask('POST /v1/auth/providers/tenants/test');
  expect(testedOf(common)).toBe('False');
  expect(common.json.status.checks).toMatchObject([
    { name: 'discovery', detail: expect.stringContaining('another issuer') },
  ]);
  world.oidc.metadata = { issuer: 'https://evil.example.com' };
  const again = await world.ask('POST /v1/auth/providers/oidc/test');
  expect(testedOf(again)).toBe('False');
  expect(again.json.status.checks).toMatchObject([{ name: 'discovery', ok: false }]);
});

test('nobody but an administrator looks at providers, or changes them', async () => {
  const { json } = await world.signIn('oidc', 'ada');
  for (const what of [
    'GET /v1/auth/providers',
    'GET /v1/auth/providers/oidc',
    'DELETE /v1/auth/providers/oidc',
    'POST /v1/auth/providers/oidc/disable',
    'POST /v1/auth/providers/oidc/test',
    `POST /v1/users/${json.user.id}/refresh`,
    'GET /v1/principals?provider=oidc&query=a',
  ]) {
    expect(outcome(await ask(what, { token: json.token }))).toBe('forbidden');
    expect(outcome(await ask(what))).toBe('unauthenticated');
  }
  expect(outcome(await ask('POST /v1/setup/reencrypt', { token: world.token }))).toBe('unauthenticated');
});

test('a query that says something twice, or is long, is refused', async () => {
  const callback = await begun();
  expect(outcome(await browser.open(`${callback}&state=again`))).toBe('bad_request');
  expect(outcome(await browser.open(`${callback}&x=${'x'.repeat(8192)}`))).toBe('bad_request');
  expect(outcome(await browser.open(`${ORIGIN}/v1/auth/providers/__proto__/callback`))).toBe('not_found');
});
