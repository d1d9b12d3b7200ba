import { env } from 'cloudflare:workers';
import { beforeEach, expect, test } from 'vitest';
import { reset, applyD1Migrations } from 'cloudflare:test';
import { administrator, ask, nowSeconds, operatorToken, outcome, person, tokenFor } from './client.ts';

const FIRST = { username: 'admin', password: 'one-time-password' };
const signIn = async (body: object, headers: Record<string, string> = {}) =>
  await ask('POST /v1/auth/local', { body, headers });
const setUp = async (body: object = FIRST) =>
  await ask('PUT /v1/setup/administrator', { body, token: await operatorToken() });

// Checked by taking out, one at a time: the throttle, the body limit, the not-before check and its rise, the compare-and-set of passwords, and the condition on the first
// administrator. Each time the test that names it failed.

beforeEach(async () => {
  await reset();
  await applyD1Migrations(env.DB, env.MIGRATIONS);
});

test('the first administrator is made once; asking again changes nothing', async () => {
  const made = await setUp();
  expect(made.json).toMatchObject({
    created: true,
    passwordPending: true,
    user: { username: 'admin', administrator: true },
  });
  const again = await setUp({ username: 'other', password: 'another password' });
  expect(again.json).toEqual({ ...made.json, created: false });
  expect(outcome(await signIn({ username: 'other', password: 'another password' }))).toBe('invalid_credentials');
});

test('no answer ever holds a password or its hash', async () => {
  const made = await setUp();
  expect(made.text).not.toMatch(/scrypt|hash|one-time-password/i);
});

test('two setups at once make one administrator', async () => {
  const answers = await Promise.all([setUp(), setUp({ username: 'other', password: 'another password' })]);
  expect(answers.filter(({ json }) => json.created)).toHaveLength(1);
  expect(answers[0]?.json.user).toEqual(answers[1]?.json.user);
  expect(await env.DB.prepare('SELECT count(*) AS n FROM users').first('n')).toBe(1);
});

test('a one-time password opens nothing until it is changed', async () => {
  await setUp();
  expect(outcome(await signIn(FIRST))).toBe('password_change_required');
  const changed = await signIn({ ...FIRST, newPassword: 'a password of my own' });
  expect(changed.status).toBe(200);
  expect(changed.json.user.passwordPending).toBe(false);
  expect((await ask('GET /v1/me', { token: changed.json.token })).json.user.username).toBe('admin');
  expect(outcome(await signIn(FIRST))).toBe('invalid_credentials');
  expect((await setUp()).json).toMatchObject({ created: false, passwordPending: false });
});

const replacePassword = async (body: object) =>
  await ask('POST /v1/setup/password', { body, token: await operatorToken() });

test('a lost password is replaced by the operator: a new one for one use, and every older token ends', async () => {
  await setUp();
  const before = await signIn({ ...FIRST, newPassword: 'a password of my own' });
  const other = await administrator();
  expect(
    outcome(await ask(`PATCH /v1/users/${before.json.user.id}`, { token: other, body: { spec: { enabled: false } } })),
  ).toBe(200);
  const replaced = await replacePassword({ username: ' Admin', password: 'another one-time password' });
  expect(replaced.json).toEqual({ user: { ...before.json.user, enabled: true, passwordPending: true } });
  expect(outcome(await ask('GET /v1/me', { token: before.json.token }))).toBe('unauthenticated');
  expect(outcome(await ask('GET /v1/me', { token: other }))).toBe(200);
  expect(outcome(await signIn({ username: 'admin', password: 'a password of my own' }))).toBe('invalid_credentials');
  const again = { username: 'admin', password: 'another one-time password' };
  expect(outcome(await signIn(again))).toBe('password_change_required');
  const signedIn = await signIn({ ...again, newPassword: 'a password that I remember' });
  expect(outcome(await ask('GET /v1/me', { token: signedIn.json.token }))).toBe(200);
});

test('the operator resets nobody but an administrator, and nobody but the operator resets', async () => {
  const token = await administrator();
  const ada = { username: 'ada', password: 'some password 1' };
  await ask('POST /v1/users', { token, body: { metadata: { name: ada.username }, spec: { password: ada.password } } });
  const changed = { ...ada, password: 'some password 2' };
  expect(outcome(await replacePassword(changed))).toBe('not_found');
  expect(outcome(await replacePassword({ ...changed, username: 'nobody' }))).toBe('not_found');
  expect(outcome(await ask('POST /v1/setup/password', { body: changed, token }))).toBe('unauthenticated');
  expect(outcome(await ask('POST /v1/setup/password', { body: changed }))).toBe('unauthenticated');
  expect(outcome(await signIn(ada))).toBe('password_change_required');
});

test('a change of password ends every token from before it, in the same second too', async () => {
  await setUp();
  const first = await signIn({ ...FIRST, newPassword: 'a password of my own' });
  const second = await signIn({
    username: 'ADMIN ',
    password: 'a password of my own',
    newPassword: 'yet another password',
  });
  expect(outcome(await ask('GET /v1/me', { token: first.json.token }))).toBe('unauthenticated');
  expect(outcome(await ask('GET /v1/me', { token: second.json.token }))).toBe(200);
});

test('a second change ends the token of the first, although both are in one second', async () => {
  await setUp();
  const own = { username: 'admin', password: 'a password of my own' };
  await signIn({ ...FIRST, newPassword: own.password });
  // As after a change in this second: the mark, and with it the next token, is ahead of the clock.
  await env.DB.prepare('UPDATE users SET not_before = ?')
    .bind(nowSeconds() + 30)
    .run();
  const first = await signIn(own);
  expect(outcome(await ask('GET /v1/me', { token: first.json.token }))).toBe(200);
  const second = await signIn({ ...own, newPassword: 'yet another password' });
  expect(outcome(await ask('GET /v1/me', { token: first.json.token }))).toBe('unauthenticated');
  expect(outcome(await ask('GET /v1/me', { token: second.json.token }))).toBe(200);
});

test('of two changes at once one holds, and only its token is good', async () => {
  await setUp();
  const answers = await Promise.all(
    ['first new password', 'second new password'].map(async (newPassword) => await signIn({ ...FIRST, newPassword })),
  );
  expect(new Set(answers.map(outcome))).toEqual(new Set([200, 'conflict']));
});

test.each([
  ['too short', 'eleven char'],
  ['the old one', FIRST.password],
  ['too long', 'x'.repeat(257)],
])('a new password that is %s is refused', async (_what, newPassword) => {
  await setUp();
  expect(outcome(await signIn({ ...FIRST, newPassword }))).toBe('invalid');
});

test('a wrong password, an unknown name and a disabled account get the same answer', async () => {
  await setUp();
  const disabled = await ask('POST /v1/users', {
    token: await administrator(),
    body: { metadata: { name: 'gone' }, spec: { password: 'some password 1' } },
  });
  await ask(`PATCH /v1/users/${disabled.json.id}`, {
    token: await administrator(),
    body: { spec: { enabled: false } },
  });
  const answers = [
    await signIn({ username: 'admin', password: 'wrong password' }),
    await signIn({ username: 'nobody', password: 'wrong password' }),
    await signIn({ username: 'gone', password: 'some password 1' }),
  ];
  for (const { status, json } of answers) {
    expect({ status, ...json, requestId: '' }).toEqual({ status: 401, ...answers[0]?.json, requestId: '' });
  }
});

test('guessing is throttled by account and address, and the right password does not help then', async () => {
  await setUp();
  const from = { 'cf-connecting-ip': '192.0.2.1' };
  for (let i = 0; i < 10; i++)
    expect(outcome(await signIn({ ...FIRST, password: `guess ${i}` }, from))).toBe('invalid_credentials');
  const refused = await signIn(FIRST, from);
  expect(outcome(refused)).toBe('throttled');
  expect(refused.headers.get('retry-after')).not.toBeNull();
  expect(outcome(await signIn(FIRST, { 'cf-connecting-ip': '192.0.2.2' }))).toBe('password_change_required');
});

test('guesses made at once count each other', async () => {
  await setUp();
  const flood = Array.from({ length: 14 }, async (_, i) => await signIn({ ...FIRST, password: `guess ${i}` }));
  const outcomes = (await Promise.all(flood)).map(outcome);
  expect(outcomes.filter((code) => code === 'invalid_credentials').length).toBeLessThanOrEqual(10);
  expect(outcomes.filter((code) => code === 'throttled').length).toBeGreaterThanOrEqual(4);
});

test('signing in well counts against nobody', async () => {
  await setUp();
  for (let i = 0; i < 12; i++) expect(outcome(await signIn(FIRST))).toBe('password_change_required');
});

test('while the database is away nobody signs in', async () => {
  await setUp();
  await env.DB.prepare('DROP TABLE sign_in_attempts').run();
  expect(outcome(await signIn(FIRST))).toBe('internal');
});

test.each([
  ['not JSON', '{', { 'content-type': 'application/json' }, 'bad_request'],
  ['a form, which a browser sends across sites unasked', 'username=a', { 'content-type': 'text/plain' }, 'bad_request'],
  ['no object', '[]', { 'content-type': 'application/json' }, 'invalid'],
  [
    'an unknown field',
    '{"username":"a","password":"b","role":"admin"}',
    { 'content-type': 'application/json' },
    'invalid',
  ],
  [
    'objects for texts',
    '{"username":{"$ne":1},"password":{"$ne":1}}',
    { 'content-type': 'application/json' },
    'invalid',
  ],
])('a body with %s is refused', async (_what, body, headers, code) => {
  expect(outcome(await ask('POST /v1/auth/local', { body, headers }))).toBe(code);
});

test('a login body above a mebibyte is refused (CVE-2024-58259)', async () => {
  const answer = await signIn({ username: 'a', password: 'x'.repeat(1024 * 1024) });
  expect(outcome(answer)).toBe('too_large');
});

test('an account that is disabled or gone loses its tokens at once, and enabling it revives none', async () => {
  const token = await administrator();
  const user = await person();
  const theirs = await tokenFor(user);
  expect(outcome(await ask('GET /v1/me', { token: theirs }))).toBe(200);
  await ask(`PATCH /v1/users/${user}`, { token, body: { spec: { enabled: false } } });
  expect(outcome(await ask('GET /v1/me', { token: theirs }))).toBe('unauthenticated');
  await ask(`PATCH /v1/users/${user}`, { token, body: { spec: { enabled: true } } });
  expect(outcome(await ask('GET /v1/me', { token: theirs }))).toBe('unauthenticated');
  const renewed = await tokenFor(user, { issuedAt: nowSeconds() + 1 });
  expect(outcome(await ask('GET /v1/me', { token: renewed }))).toBe(200);
  await ask(`DELETE /v1/users/${user}`, { token });
  expect(outcome(await ask('GET /v1/me', { token: renewed }))).toBe('unauthenticated');
});
