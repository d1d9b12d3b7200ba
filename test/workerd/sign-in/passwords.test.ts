import { env } from 'cloudflare:workers';
import { applyD1Migrations, reset } from 'cloudflare:test';
import { beforeEach, expect, test } from 'vitest';
import { administrator, ask, nowSeconds, operatorToken, outcome } from '../management/client.ts';
import { PASSWORD, personWithPassword, submit } from './browser.ts';

// Checked by taking out, one at a time: the look at the age in `requireFreshPassword`, `isGuessable` in `checkNewPassword`, and the password before the present one in `choosePassword`: each time
// the test that names it failed.

const DAY = 86_400;
const ANOTHER = 'something else altogether';

let token: string;
beforeEach(async () => {
  await reset();
  await applyD1Migrations(env.DB, env.MIGRATIONS);
  token = await administrator();
});

const signIn = async (body: object) => await ask('POST /v1/auth/local', { body });
const setAge = async (maxPasswordAgeSeconds: number | null) =>
  outcome(await ask('PATCH /v1/settings', { token, body: { maxPasswordAgeSeconds } }));
/** Makes a password as if it had been set so many seconds ago. */
const age = async (id: string, seconds: number): Promise<unknown> =>
  await env.DB.prepare('UPDATE users SET password_changed_at = ?2, active_changed_at = ?2 WHERE id = ?1')
    .bind(id, nowSeconds() - seconds)
    .run();
const shown = async (id: string) => (await ask(`GET /v1/users/${id}`, { token })).json.status;

test('a password of any age is good unless the setting says otherwise', async () => {
  const { id, username } = await personWithPassword();
  await age(id, 3650 * DAY);
  expect(outcome(await signIn({ username, password: PASSWORD }))).toBe(200);
  expect(await shown(id)).toMatchObject({ passwordExpiresAt: null, conditions: [{ reason: 'Enabled' }] });
});

test('a password that is too old is changed before it signs anybody in', async () => {
  const { id, username } = await personWithPassword();
  await age(id, 30 * DAY);
  expect(await setAge(31 * DAY)).toBe(200);
  expect(outcome(await signIn({ username, password: PASSWORD }))).toBe(200);
  expect(await setAge(29 * DAY)).toBe(200);
  const refused = await signIn({ username, password: PASSWORD });
  expect([outcome(refused), refused.json.detail]).toEqual([
    'password_change_required',
    expect.stringContaining('older than this plane allows'),
  ]);
  expect(outcome(await signIn({ username, password: 'a wrong password' }))).toBe('invalid_credentials');
  expect(outcome(await signIn({ username, password: PASSWORD, newPassword: PASSWORD }))).toBe('invalid');
  expect(outcome(await signIn({ username, password: PASSWORD, newPassword: ANOTHER }))).toBe(200);
  expect(outcome(await signIn({ username, password: ANOTHER }))).toBe(200);
  await age(id, 30 * DAY);
  expect(await setAge(null)).toBe(200);
  expect(outcome(await signIn({ username, password: ANOTHER }))).toBe(200);
});

test('the form asks for another in place of one that is too old, and says why', async () => {
  const { id, username } = await personWithPassword();
  await age(id, 30 * DAY);
  await setAge(DAY);
  const first = await submit('/login', undefined, { username, password: PASSWORD, returnTo: '/device' });
  expect(first.status).toBe(403);
  expect(first.text).toContain('name="newPassword"');
  expect(first.text).toContain('older than this plane allows');
  expect(first.headers.get('set-cookie')).toBeNull();
  const guessed = { username, password: PASSWORD, newPassword: 'Summer2026!!', returnTo: '/device' };
  const again = await submit('/login', undefined, guessed);
  expect([again.status, again.text.includes('too easy to guess')]).toEqual([422, true]);
  const changed = await submit('/login', undefined, { ...guessed, newPassword: ANOTHER });
  expect([changed.status, changed.headers.get('location')]).toEqual([303, '/device']);
});

test('sessions and tokens of somebody whose password grows too old go on', async () => {
  const { id, username } = await personWithPassword();
  const session = await signIn({ username, password: PASSWORD });
  const made = await ask('POST /v1/tokens', { token: session.json.token, body: { spec: {} } });
  await age(id, 30 * DAY);
  await setAge(DAY);
  for (const theirs of [session, made]) {
    expect(outcome(await ask('GET /v1/me', { token: theirs.json.token }))).toBe(200);
  }
});

test('when a password has to be changed is shown, and that it has grown too old is a condition', async () => {
  const { id } = await personWithPassword();
  await age(id, 30 * DAY);
  const changed = Math.floor(Date.parse((await shown(id)).passwordChangedAt) / 1000);
  const expiresAt = (days: number): string => new Date((changed + days * DAY) * 1000).toISOString();
  await setAge(40 * DAY);
  expect(await shown(id)).toMatchObject({ passwordExpiresAt: expiresAt(40), conditions: [{ status: 'True' }] });
  await setAge(20 * DAY);
  expect(await shown(id)).toMatchObject({
    passwordExpiresAt: expiresAt(20),
    conditions: [{ type: 'Active', status: 'False', reason: 'PasswordExpired', lastTransitionTime: expiresAt(20) }],
  });
  const { items } = (await ask(`GET /v1/users?limit=10`, { token })).json;
  const listed = items.find((one: { id: string }) => one.id === id);
  expect(listed.status.conditions[0].reason).toBe('PasswordExpired');
});

test.each([
  ['their name', (name: string) => name],
  ['their name with something behind it', (name: string) => `${name}12`],
  ['a common word', () => 'Password1234'],
  ['a row of the keyboard', () => 'qwertyuiop12'],
  ['one character', () => 'aaaaaaaaaaaa'],
  ['too short', () => 'k3vxw7q2plm'],
  ['too long', () => 'k3vxw7q2plm '.repeat(22)],
])('nobody is given or chooses a password that is %s', async (_what, make) => {
  const { id, username } = await personWithPassword();
  const password = make(username);
  const name = 'name-of-somebody';
  const given = { metadata: { name }, spec: { password: make(name) } };
  const session = (await signIn({ username, password: PASSWORD })).json.token;
  const answers = [
    await ask('POST /v1/users', { token, body: given }),
    await ask(`POST /v1/users/${id}/reset-password`, { token, body: { password } }),
    await ask('PATCH /v1/me/password', { token: session, body: { oldPassword: PASSWORD, newPassword: password } }),
    await signIn({ username, password: PASSWORD, newPassword: password }),
    await ask('POST /v1/setup/password', { token: await operatorToken(), body: { username, password } }),
  ];
  expect(answers.map(outcome)).toEqual(Array.from(answers, () => 'invalid'));
  expect(answers.map(({ text }) => text).join('')).not.toContain(password === username ? '{{' : password);
  expect(outcome(await signIn({ username, password: PASSWORD }))).toBe(200);
});

test('one’s own last password is not chosen again once it was reset, however often', async () => {
  const { id, username } = await personWithPassword();
  const body = { password: 'one-time-password' };
  for (let resets = 0; resets < 2; resets++) {
    expect(outcome(await ask(`POST /v1/users/${id}/reset-password`, { token, body }))).toBe(200);
  }
  const once = { username, ...body };
  expect(outcome(await signIn({ ...once, newPassword: PASSWORD }))).toBe('invalid');
  expect(outcome(await signIn({ ...once, newPassword: ANOTHER }))).toBe(200);
});

test('the password before the present one is not chosen again, and the one before that may be', async () => {
  const { username } = await personWithPassword();
  expect(outcome(await signIn({ username, password: PASSWORD, newPassword: ANOTHER }))).toBe(200);
  expect(outcome(await signIn({ username, password: ANOTHER, newPassword: PASSWORD }))).toBe('invalid');
  const third = `not ${PASSWORD}`;
  expect(outcome(await signIn({ username, password: ANOTHER, newPassword: third }))).toBe(200);
  expect(outcome(await signIn({ username, password: third, newPassword: PASSWORD }))).toBe(200);
});

test('who has no password here has no age of it', async () => {
  const { id } = await personWithPassword();
  await env.DB.prepare("UPDATE users SET password_hash = '!', password_changed_at = 0 WHERE id = ?").bind(id).run();
  await setAge(DAY);
  expect(await shown(id)).toMatchObject({
    passwordChangedAt: null,
    passwordExpiresAt: null,
    conditions: [{ reason: 'Enabled' }],
  });
});
