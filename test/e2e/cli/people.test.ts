import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cli, startSignedIn } from '../../support/processes/cli.ts';
import { Scratch } from '../../support/processes/local.ts';

/** What an administrator does with people, groups and tokens, and what those people then find. */
const scratch = new Scratch();
let admin: Cli;
let newcomer: (env?: Record<string, string>) => Promise<Cli>;

beforeAll(async () => void ({ admin, newcomer } = await startSignedIn(scratch)));
afterAll(async () => scratch.clear());

test('users: create with a one-time password, disable, enable, rm', async () => {
  const created = await admin.json(['users', 'create', 'ann']);
  expect(created).toMatchObject({
    metadata: { name: 'ann' },
    oneTimePassword: expect.stringMatching(/^[a-z2-7]{26}$/),
  });
  const ann = await newcomer();
  await ann.ok(['login', '--username', 'ann'], { input: `${created.oneTimePassword}\nanother password\n` });
  expect(await ann.run(['users', 'list'])).toMatchObject({ code: 4, stdout: '' });

  await admin.ok(['users', 'disable', 'ann']);
  expect(await admin.ok(['users', 'list'])).toMatch(/^ann +Disabled +no /m);
  expect(await ann.run(['whoami'])).toMatchObject({ code: 3 });
  await admin.ok(['users', 'enable', 'ann']);
  expect(await admin.run(['users', 'create', 'ann'])).toMatchObject({ code: 8 });
  await admin.ok(['users', 'rm', 'ann', '--yes']);
  expect(await admin.run(['users', 'enable', 'ann'])).toMatchObject({ code: 5 });
});

test('users: get, administrator or not, another password, signed out', async () => {
  const { oneTimePassword } = await admin.json(['users', 'create', 'eve']);
  const eve = await newcomer();
  const chosen = 'a password of her own';
  await eve.ok(['login', '--username', 'eve'], { input: `${oneTimePassword}\n${chosen}\n` });
  expect(await admin.ok(['users', 'get', 'EVE'])).toMatch(/^eve +Enabled +no /m);
  expect((await admin.json(['users', 'get', 'eve', 'admin'])).items).toHaveLength(2);
  expect(await admin.run(['users', 'get', 'nobody'])).toMatchObject({
    code: 5,
    stderr: 'outrider: there is no user nobody: `outrider users list` shows all\n',
  });

  await admin.ok(['users', 'update', 'eve', '--administrator']);
  expect((await eve.json(['users', 'get', 'eve'])).spec).toMatchObject({ administrator: true });
  await admin.ok(['users', 'update', 'eve', '--no-administrator']);
  expect(await eve.run(['users', 'list'])).toMatchObject({ code: 4 });
  expect(await admin.run(['users', 'update', 'eve'])).toMatchObject({ code: 2 });

  expect(await admin.run(['users', 'sign-out', 'eve'])).toMatchObject({ code: 2 });
  await admin.ok(['users', 'sign-out', 'eve', '-y']);
  expect(await eve.run(['whoami'])).toMatchObject({ code: 3 });
  await eve.ok(['login', '--username', 'eve'], { input: chosen });

  const reset = await admin.run(['users', 'reset-password', 'eve']);
  expect(reset).toMatchObject({ code: 0, stdout: expect.stringMatching(/^eve +Password pending /m) });
  expect(reset.stderr).toMatch(/^One-time password of eve: [a-z2-7]{26}\n$/);
  expect(await eve.run(['whoami'])).toMatchObject({ code: 3 });
  expect(await eve.run(['login', '--username', 'eve'], { input: chosen })).toMatchObject({ code: 3 });
  await admin.ok(['users', 'rm', 'eve', '--yes']);
});

test('in a terminal a new password that is refused is asked for again', async () => {
  const { oneTimePassword } = await admin.json(['users', 'create', 'ida']);
  const terminal = (await newcomer()).terminal(['login', '--username', 'ida']);
  const answer = async (question: RegExp, text: string): Promise<void> => {
    const before = terminal.stdout.length;
    await terminal.printed(question, Math.max(0, before - 40));
    terminal.type(`${text}\r`);
  };
  await answer(/Password of ida at \S+: $/, oneTimePassword);
  for (const chosen of ['short', 'a password of their own']) {
    await answer(/New password: $/, chosen);
    await answer(/The same again: $/, chosen);
  }
  const { code, stdout } = await terminal.exited;
  expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining('invalid: newPassword') });
  await admin.ok(['users', 'rm', 'ida', '-y']);
});

test('a one-time password may be brought: on standard input, or typed where that is a terminal', async () => {
  const given = { input: 'seven quiet herons\n' };
  expect(await admin.run(['users', 'create', 'jo', '--password-stdin'], given)).toMatchObject({ code: 0, stderr: '' });
  const terminal = admin.terminal(['users', 'reset-password', 'jo', '--password-stdin']);
  await terminal.printed(/One-time password of jo: /);
  terminal.type('eight quiet herons\r');
  const { code, stdout } = await terminal.exited;
  expect(code).toBe(0);
  expect(stdout).not.toContain('herons');
  const login = await (
    await newcomer()
  ).run(['login', '--username', 'jo'], {
    input: 'eight quiet herons\nnine loud wrens and a crow\n',
  });
  expect(login).toMatchObject({ code: 0 });
  await admin.ok(['users', 'rm', 'jo', '-y']);
});

test('groups: create, members, get, rm', async () => {
  await admin.ok(['users', 'create', 'gil']);
  await admin.ok(['groups', 'create', 'On Call', '--description', 'at night']);
  expect(await admin.run(['groups', 'create', 'on call'])).toMatchObject({ code: 8 });
  await admin.ok(['groups', 'members', 'add', 'on call', 'gil', 'admin', 'gil']);
  expect(await admin.ok(['groups', 'members', 'list', 'On Call', '-o', 'name'])).toBe('user/admin\nuser/gil\n');
  // A mistyped name changes nothing.
  expect(await admin.run(['groups', 'members', 'rm', 'On Call', 'gil', 'gli'])).toMatchObject({ code: 5 });
  expect(await admin.ok(['groups', 'list'])).toMatch(/^On Call +2 +at night +\d+s$/m);
  const { status } = await admin.json(['groups', 'get', 'On Call']);
  expect(await admin.ok(['users', 'groups', 'gil', '-o', 'name'])).toBe(`${status.principal}\n`);
  await admin.ok(['groups', 'members', 'rm', 'On Call', 'gil']);
  expect((await admin.json(['groups', 'get', 'On Call'])).status).toMatchObject({ members: 1 });
  await admin.ok(['groups', 'rm', 'On Call', '-y']);
  expect(await admin.run(['groups', 'get', 'On Call'])).toMatchObject({ code: 5 });
  await admin.ok(['users', 'rm', 'gil', '-y']);
});

test('roles in a cluster: granted to people and groups, listed, revoked', async () => {
  const { oneTimePassword } = await admin.json(['users', 'create', 'hal']);
  await admin.ok(['groups', 'create', 'watchers']);
  await admin.ok(['clusters', 'import', 'shared']);
  const hal = await newcomer();
  await hal.ok(['login', '--username', 'hal'], { input: `${oneTimePassword}\na password of his own\n` });
  expect(await hal.run(['clusters', 'roles', 'shared'])).toMatchObject({ code: 5 });

  await admin.ok(['clusters', 'grant', 'shared', 'owner', '--user', 'hal', '--group', 'watchers']);
  expect(await admin.ok(['clusters', 'roles', 'shared'])).toMatch(/^hal +user +owner\nlocal_group:\S+ +group +owner$/m);
  // An owner finds a person of the cluster by name, though people are not theirs to list.
  await hal.ok(['clusters', 'grant', 'shared', 'read-only', '--group', 'github_team://42']);
  expect(await hal.run(['clusters', 'revoke', 'shared', '--user', 'nobody'])).toMatchObject({ code: 4 });
  expect(await hal.run(['clusters', 'grant', 'shared', 'king', '--user', 'hal'])).toMatchObject({ code: 2 });
  expect(await hal.run(['clusters', 'grant', 'shared', 'member'])).toMatchObject({ code: 2 });
  await hal.ok(['clusters', 'revoke', 'shared', '--user', 'hal', '--user', 'hal', '--group', 'github_team://42']);
  expect(await hal.run(['clusters', 'roles', 'shared'])).toMatchObject({ code: 5 });
  const left = (await admin.json(['clusters', 'roles', 'shared'])).items;
  expect(left.map(({ username, group }: any) => username ?? group)).toEqual(expect.not.arrayContaining(['hal']));
  expect(left.filter(({ group }: any) => group !== undefined)).toMatchObject([{ role: 'owner' }]);
  for (const rm of [
    ['clusters', 'rm', 'shared'],
    ['groups', 'rm', 'watchers'],
    ['users', 'rm', 'hal'],
  ]) {
    await admin.ok([...rm, '-y']);
  }
});

test('tokens: what is created is data, and a revoked one opens nothing', async () => {
  const { id, token } = await admin.json(['tokens', 'create', '--description', 'nightly', '--ttl', '2h']);
  expect(await admin.ok(['tokens', 'list'])).toMatch(new RegExp(`^${id} +api +nightly +\\d+m$`, 'm'));
  const ci = await newcomer({ OUTRIDER_TOKEN: token });
  await ci.ok(['whoami']);
  await admin.ok(['tokens', 'revoke', id]);
  expect(await ci.run(['whoami'])).toMatchObject({ code: 3 });
  expect(await admin.run(['tokens', 'revoke', id])).toMatchObject({ code: 5 });
});

test('tokens: one that is made is shown in every format, or not made', async () => {
  const count = async (): Promise<number> => (await admin.json(['tokens', 'list'])).items.length;
  const before = await count();
  expect(await admin.run(['tokens', 'create', '-o', 'name'])).toMatchObject({ code: 2, stdout: '' });
  expect(await count()).toBe(before);
  const wide = await admin.ok(['tokens', 'create', '-o', 'wide']);
  const [token = ''] = wide.trimEnd().split(/\s+/).slice(-1);
  await (await newcomer({ OUTRIDER_TOKEN: token })).ok(['whoami']);
  await admin.ok(['tokens', 'revoke', wide.split('\n')[1]?.split(' ')[0] ?? '']);
});

test('tokens revoke --all ends every session, and this one is forgotten', async () => {
  const created = await admin.json(['users', 'create', 'fay']);
  const [fay, elsewhere] = [await newcomer(), await newcomer()];
  const chosen = 'a password of my own';
  await fay.ok(['login', '--username', 'fay'], { input: `${created.oneTimePassword}\n${chosen}\n` });
  await elsewhere.ok(['login', '--username', 'fay'], { input: chosen });
  expect(await fay.run(['tokens', 'revoke', '--all'])).toMatchObject({ code: 2 });
  await fay.ok(['tokens', 'revoke', '--all', '--yes']);
  expect(await elsewhere.run(['whoami'])).toMatchObject({ code: 3 });
  expect(await fay.ok(['servers', 'list'])).toMatch(/^\S* +https:\S+ +- +-$/m);
  await admin.ok(['users', 'rm', 'fay', '-y']);
});
