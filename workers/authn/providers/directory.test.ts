import { expect, test } from 'vitest';
import type { DirectoryConfig } from '#schema/directory/config.ts';
import type { DirectoryAnswer, DirectoryPerson, DirectoryQuestion } from '#schema/directory/questions.ts';
import { directoryProvider, type DirectoryProvider } from './directory.ts';

const ADA = '33221100-5544-7766-8899-aabbccddeeff';
const STAFF = '33221100-5544-7766-8899-000000000000';
const directory = { searchBase: 'DC=corp,DC=example' } as DirectoryConfig;
const person: DirectoryPerson = {
  objectGuid: ADA,
  loginName: 'ada',
  displayName: 'Ada',
  enabled: true,
  groups: [{ objectGuid: STAFF, name: 'Staff' }],
};
const identity = {
  principal: `activedirectory_user://${ADA}`,
  loginName: 'ada',
  displayName: 'Ada',
  groups: [{ principal: `activedirectory_group://${STAFF}`, displayName: 'Staff' }],
};

/** A provider whose directory says this, and what it was asked. */
function provider(answer: DirectoryAnswer): { provider: DirectoryProvider; asked: DirectoryQuestion[] } {
  const asked: DirectoryQuestion[] = [];
  const ask = async (question: DirectoryQuestion): Promise<DirectoryAnswer> => {
    asked.push(question);
    return answer;
  };
  return { provider: directoryProvider('activedirectory', directory, ask), asked };
}

test('whom the directory knows gets the principals of the provider', async () => {
  const { provider: ad, asked } = provider({ is: 'person', person });
  expect(await ad.signIn('ada', 'right')).toEqual(identity);
  expect(await ad.refresh(identity.principal)).toEqual(identity);
  expect(asked).toEqual([
    { ask: 'signIn', directory, name: 'ada', password: 'right' },
    { ask: 'lookup', directory, objectGuid: ADA },
  ]);
});

test.each<[string, DirectoryPerson | null]>([
  ['not known', null],
  ['disabled', { ...person, enabled: false }],
])('who is %s is nobody', async (_what, said) => {
  const { provider: ad } = provider({ is: 'person', person: said });
  expect(await ad.signIn('ada', 'right')).toBeNull();
  expect(await ad.refresh(identity.principal)).toBeNull();
});

test.each([
  ['ada', ''],
  ['', 'right'],
  ['ada\0', 'right'],
  ['ada', 'right\0'],
  ['a'.repeat(257), 'right'],
])('the name %j and the password %j are not asked', async (name, password) => {
  const { provider: ad, asked } = provider({ is: 'person', person });
  expect(await ad.signIn(name, password)).toBeNull();
  expect(asked).toEqual([]);
});

test.each([`github_user://${ADA}`, `activedirectory_group://${ADA}`, 'activedirectory_user://*', ''])(
  'the principal %j is nobody of this provider',
  async (principal) => {
    const { provider: ad, asked } = provider({ is: 'person', person });
    expect(await ad.refresh(principal)).toBeNull();
    expect(asked).toEqual([]);
  },
);

test('a search is shown with principals', async () => {
  const item = { kind: 'group', objectGuid: STAFF, loginName: 'staff', displayName: 'Staff' } as const;
  const { provider: ad } = provider({ is: 'found', items: [item] });
  expect(await ad.search('sta')).toEqual([
    { principal: `activedirectory_group://${STAFF}`, kind: 'group', loginName: 'staff', displayName: 'Staff' },
  ]);
  expect(await ad.search('')).toEqual([]);
});

const PROBLEM: DirectoryAnswer = { is: 'problem', problem: { code: 'unreachable', detail: 'dc1: ECONNREFUSED' } };

test.each<[string, DirectoryAnswer]>([
  ['a problem', PROBLEM],
  ['the answer to something else', { is: 'good', server: 'dc1' }],
  ['somebody else', { is: 'person', person: { ...person, objectGuid: STAFF } }],
])('%s is no refusal of a person', async (_what, answer) => {
  const { provider: ad } = provider(answer);
  await expect(ad.refresh(identity.principal)).rejects.toMatchObject({ code: 'directory_unavailable' });
});

test('a test names the server that answered, or what is wrong', async () => {
  expect(await provider({ is: 'good', server: 'dc1' }).provider.test()).toEqual({ server: 'dc1' });
  await expect(provider(PROBLEM).provider.test()).rejects.toThrow('unreachable: dc1: ECONNREFUSED');
});
