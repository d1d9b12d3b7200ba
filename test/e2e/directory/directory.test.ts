import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { askFromHere } from '#agent/directory/answer.ts';
import { createLogger } from '#agent/log.ts';
import { testDirectory } from '#schema/api/providers/directory.ts';
import type { DirectoryConfig } from '#schema/directory/config.ts';
import type { DirectoryPerson } from '#schema/directory/questions.ts';
import { PROJECT } from '#scripts/lib/project.ts';
import {
  type DirectoryIdentity,
  type DirectoryProvider,
  directoryProvider,
} from '#workers/authn/providers/directory.ts';
import { PlaneApi } from '../../support/api.ts';
import { type BareWorld, startBareWorld } from '../../support/worlds/bare-world.ts';
import { newPassword, TestDomain } from '../../support/worlds/domain.ts';
import { makePki } from '../../support/fakes/world.ts';

// A real domain controller behind a real agent, asked by a real plane. Checked by taking out, one at a time: the certificate's name, its authority, the bit of security groups, the chain
// of memberships, the order of a GUID's octets. Each time the test that names it failed. (That accounts are disabled the controller says itself: see `hostile.test.ts`.)

let domain: TestDomain;
let world: BareWorld;
let api: PlaneApi;

const ada = {
  cn: 'Lovelace\\, Ada (née Byron) *\\\\#',
  login: 'ada',
  password: newPassword(),
  displayName: 'Ada, Countess',
};
const grace = { cn: 'Grace', login: 'grace', password: newPassword() };
const gone = { cn: 'Gone', login: 'gone', password: newPassword(), disabled: true };
let adaDn: string;
let inner: string;

beforeAll(async () => {
  [domain, world] = await Promise.all([
    TestDomain.start(console.log),
    startBareWorld({ agent: 'process', project: () => Promise.resolve(PROJECT) }),
  ]);
  api = new PlaneApi(world.plane, world.token);
  adaDn = await domain.addUser(ada);
  await domain.addUser(gone);
  const graceDn = await domain.addUser(grace);
  inner = await domain.addGroup('inner', [adaDn]);
  const outer = await domain.addGroup('outer', [inner]);
  const top = await domain.addGroup('top', [outer]);
  // A circle, which a chain of memberships must not follow for ever.
  await domain.addMember(top, await domain.addGroup('round', [top]));
  await domain.addGroup('list', [adaDn], 'distribution');
  for (let i = 0; i < 25; i++) await domain.addGroup(`page-${String(i).padStart(2, '0')}`, [graceDn]);
});
afterAll(async () => {
  await api?.close();
  await world?.stop();
  await domain?.stop();
});

const asked = async (directory: DirectoryConfig, name?: string, password?: string) =>
  await api.json(testDirectory.result, 'POST', `/v1/clusters/${world.clusterId}/directory/test`, {
    directory,
    ...(name === undefined ? {} : { name }),
    ...(password === undefined ? {} : { password }),
  });
const names = (person: DirectoryPerson | null): string[] => person?.groups.map(({ name }) => name) ?? [];

describe('whoever has a name and its password', () => {
  test('is signed in, with the groups that they are in by chains of groups and by default', async () => {
    const { problem, server, person } = await asked(domain.config(), 'ada', ada.password);
    expect(problem).toBeNull();
    expect(server).toBe('127.0.0.1');
    expect(person).toMatchObject({ loginName: 'ada', displayName: 'Ada, Countess', enabled: true });
    expect(person?.objectGuid).toBe(await domain.shownGuid('ada'));
    expect(names(person)).toEqual(['Domain Users', 'Users', 'inner', 'outer', 'round', 'top']);
  });

  test('is the same person by sAMAccountName and by userPrincipalName, in any case of letters, and over StartTLS', async () => {
    const byName = await asked(domain.config(), 'ADA', ada.password);
    const byUpn = domain.config({ loginAttribute: 'userPrincipalName' });
    const other = await asked(byUpn, 'ada@corp.example', ada.password);
    const overStartTls = await asked(domain.config({ security: 'starttls' }), 'ada', ada.password);
    expect(other.person?.loginName).toBe('ada@corp.example');
    expect(other.person?.objectGuid).toBe(byName.person?.objectGuid);
    expect(overStartTls.person).toEqual(byName.person);
    expect((await asked(byUpn, 'ada', ada.password)).person).toBeNull();
  });

  test('is in their own groups only where groups are not nested', async () => {
    const { person } = await asked(domain.config({ nestedGroups: false }), 'ada', ada.password);
    expect(names(person)).toEqual(['Domain Users', 'inner']);
  });

  test('has all of their groups, however many pages they come in', async () => {
    const { person } = await asked(domain.config({ pageSize: 10 }), 'grace', grace.password);
    expect(names(person).filter((name) => name.startsWith('page-'))).toHaveLength(25);
  });

  test('loses a group with the next question after it was taken', async () => {
    await domain.removeMember(inner, adaDn);
    const { person } = await asked(domain.config(), 'ada', ada.password);
    expect(names(person)).toEqual(['Domain Users', 'Users']);
  });
});

describe('nobody is told apart:', () => {
  const NOBODY = { problem: null, server: '127.0.0.1', person: null };

  test.each([
    ['a wrong password', 'ada', () => newPassword()],
    ['an unknown name', 'nobody', () => ada.password],
    ['a disabled account with the right password', 'gone', () => gone.password],
    ['a disabled account with a wrong one', 'gone', () => newPassword()],
    ['a name that would be a filter', '*', () => ada.password],
    ['a name that would end a filter', 'ada)(objectClass=*', () => ada.password],
    ['a name that would be a filter of everything', '*)(|(sAMAccountName=*', () => ada.password],
    ['a name in hexadecimal', '\\61da', () => ada.password],
    ['a computer', 'VM$', () => ada.password],
    ['a group', 'top', () => ada.password],
  ])('%s', async (_what, name, password) => {
    expect(await asked(domain.config(), name, password())).toEqual(NOBODY);
  });

  test('an account that is past its end', async () => {
    const late = { cn: 'Late', login: 'late', password: newPassword() };
    const dn = await domain.addUser(late);
    expect((await asked(domain.config(), 'late', late.password)).person?.enabled).toBe(true);
    await domain.replace(dn, 'accountExpires', '132223104000000000');
    expect(await asked(domain.config(), 'late', late.password)).toEqual(NOBODY);
  });
});

describe('what is no name or password is not asked:', () => {
  test.each([
    ['an empty password, which a directory takes for none', 'ada', ''],
    ['a NUL in the name', 'ada\0', 'x'],
    ['a NUL in the password', 'ada', `${ada.password}\0x`],
    ['a line feed in the name', 'ada\n', 'x'],
  ])('%s', async (_what, name, password) => {
    const body = { directory: domain.config(), name, password };
    const { status, text } = await api.call('POST', `/v1/clusters/${world.clusterId}/directory/test`, body);
    expect(status).toBe(422);
    expect(text).not.toContain(domain.config().bindPassword);
  });
});

describe('a server', () => {
  test('whose certificate is of another authority is not spoken to', async () => {
    const other = await makePki();
    const before = domain.ldaps.connections;
    const { problem } = await asked(domain.config({ ca: other.caPem }), 'ada', ada.password);
    expect(problem).toMatchObject({ code: 'untrusted', detail: expect.stringContaining('not of the given authority') });
    const overStartTls = await asked(domain.config({ ca: other.caPem, security: 'starttls' }), 'ada', ada.password);
    expect(overStartTls.problem?.code).toBe('untrusted');
    // One handshake was begun, and nothing was asked.
    expect(domain.ldaps.connections).toBe(before + 1);
    expect((await asked(domain.config({ ca: null }))).problem?.code).toBe('untrusted');
    await other.remove();
  });

  test('whose certificate is for another name is not spoken to', async () => {
    const { problem } = await asked(domain.config({ servers: ['127.0.0.3'] }), 'ada', ada.password);
    expect(problem).toMatchObject({ code: 'untrusted', detail: expect.stringContaining('another name') });
  });

  test('that does not speak TLS is not spoken to', async () => {
    domain.startTls.sent = Buffer.alloc(0);
    const { problem } = await asked(domain.config({ port: domain.startTls.port }), 'ada', ada.password);
    // Samba hangs up on what it does not understand.
    expect(problem?.code).toMatch(/untrusted|unreachable/);
    // A handshake record, and no more.
    expect(domain.startTls.sent[0]).toBe(0x16);
    expect(domain.startTls.sent.includes('svc-search')).toBe(false);
  });

  test('that is down, or cannot be trusted, is passed over for the next', async () => {
    const { server, person } = await asked(
      domain.config({ servers: ['127.0.0.2', '127.0.0.3', '127.0.0.1'] }),
      'ada',
      ada.password,
    );
    expect(server).toBe('127.0.0.1');
    expect(person?.loginName).toBe('ada');
  });

  test('that is down, with no other, is a problem that names it', async () => {
    const { problem } = await asked(domain.config({ servers: ['127.0.0.2', '127.0.0.4'] }));
    expect(problem).toMatchObject({ code: 'unreachable', detail: expect.stringMatching(/127\.0\.0\.2.*127\.0\.0\.4/) });
  });

  test('is told no name and no password before there is TLS', async () => {
    domain.startTls.sent = Buffer.alloc(0);
    await asked(domain.config({ security: 'starttls' }));
    const { sent } = domain.startTls;
    expect(sent.includes('1.3.6.1.4.1.1466.20037')).toBe(true);
    // The request ends with its name; what follows is a handshake record (RFC 8446 §5.1).
    expect(sent[sent.indexOf('1.3.6.1.4.1.1466.20037') + 22]).toBe(0x16);
    expect(sent.includes('svc-search')).toBe(false);
  });

  test('that does not take the account that searches is a problem that says so, once', async () => {
    const before = domain.ldaps.connections;
    const { problem } = await asked(
      domain.config({ bindPassword: newPassword(), servers: ['127.0.0.1', '127.0.0.1'] }),
    );
    expect(problem?.code).toBe('search_account');
    expect(domain.ldaps.connections).toBe(before + 1);
  });

  test.each(['OU=nowhere,DC=corp,DC=example', 'DC=elsewhere,DC=example'])(
    'that has nothing at %s says so',
    async (searchBase) => {
      expect((await asked(domain.config({ searchBase }))).problem?.code).toBe('search_base');
    },
  );
});

describe('a provider over it', () => {
  const never = new AbortController().signal;
  const quiet = createLogger('error', () => undefined);
  // What the agent runs, without the way there: the endpoint above asks nothing but these two.
  const provider = (changes: Partial<DirectoryConfig> = {}): DirectoryProvider =>
    directoryProvider('activedirectory', domain.config(changes), (question) => askFromHere(question, never, quiet));
  const eve = { cn: 'Eve', login: 'eve', password: newPassword(), displayName: 'Eve *)(' };
  let eveDn: string;
  let group: string;
  beforeAll(async () => {
    eveDn = await domain.addUser(eve);
    group = await domain.addGroup('eve-inner', [eveDn]);
    await domain.addGroup('eve-outer', [group]);
  });
  const groupsOf = (identity: DirectoryIdentity | null): string[] =>
    identity?.groups.map(({ displayName }) => displayName).filter((name) => name.startsWith('eve-')) ?? [];

  test('finds people and groups by the beginning of a name, and takes a star for a star', async () => {
    const found = await provider().search('EVE-');
    expect(new Set(found.map(({ kind, loginName }) => `${kind} ${loginName}`))).toEqual(
      new Set(['group eve-inner', 'group eve-outer']),
    );
    expect(await provider().search('*')).toEqual([]);
    expect((await provider({ pageSize: 10 }).search('page-')).length).toBe(25);
    expect((await provider().search('Eve *)(')).map(({ loginName }) => loginName)).toEqual(['eve']);
    const [eveGroup] = (await provider().search('eve-inner')).map(({ principal }) => principal);
    const identity = await provider().signIn('eve', eve.password);
    expect(identity?.groups.map(({ principal }) => principal)).toContain(eveGroup);
  });

  test('sees at the next refresh, without a password, that a group was taken, and who is disabled or gone', async () => {
    const ad = provider();
    const identity = await ad.signIn('eve', eve.password);
    expect(groupsOf(identity)).toEqual(['eve-inner', 'eve-outer']);
    const principal = identity?.principal ?? '';
    expect(await ad.refresh(principal)).toEqual(identity);
    await domain.removeMember(group, eveDn);
    expect(groupsOf(await ad.refresh(principal))).toEqual([]);
    await domain.replace(eveDn, 'userAccountControl', '514');
    expect(await ad.refresh(principal)).toBeNull();
    await domain.replace(eveDn, 'userAccountControl', '512');
    expect(await ad.refresh(principal)).not.toBeNull();
    await domain.remove(eveDn);
    expect(await ad.refresh(principal)).toBeNull();
  });

  test('knows somebody by their objectGUID, whatever they are called since', async () => {
    const ad = provider();
    const before = await ad.signIn('grace', grace.password);
    const dn = `CN=${grace.cn},CN=Users,${domain.base}`;
    await domain.replace(dn, 'userPrincipalName', 'hopper@corp.example');
    await domain.replace(dn, 'sAMAccountName', 'hopper');
    const after = await ad.signIn('hopper', grace.password);
    expect(after?.principal).toBe(before?.principal);
    // Who has the old name now is somebody else.
    const other = { cn: 'Another Grace', login: 'grace', password: newPassword() };
    await domain.addUser(other);
    expect((await ad.signIn('grace', other.password))?.principal).not.toBe(before?.principal);
  });
});

test('no log has a password or a name of what was asked', () => {
  const log = JSON.stringify(world.agent.log);
  for (const secret of [
    ada.password,
    grace.password,
    gone.password,
    domain.config().bindPassword,
    'svc-search',
    'grace',
  ])
    expect(log).not.toContain(secret);
});
