import type { Entry } from 'ldapts';
import { describe, expect, test } from 'vitest';
import { DirectoryAnswer, DirectoryPerson } from '#schema/directory/questions.ts';
import { foundFrom, groupsFrom, guidOctets, guidText, isEnabled, personFrom, primaryGroupSid } from './entries.ts';

const OCTETS = Buffer.from('00112233445566778899aabbccddeeff', 'hex');
const TEXT = '33221100-5544-7766-8899-aabbccddeeff';
const NOW = Date.UTC(2026, 0, 1);

const entry = (fields: Record<string, string | Buffer | string[] | Buffer[]> = {}): Entry => ({
  dn: 'CN=Ada,DC=corp,DC=example',
  objectGUID: OCTETS,
  sAMAccountName: 'ada',
  userPrincipalName: 'ada@corp.example',
  displayName: 'Ada',
  userAccountControl: '512',
  ...fields,
});

describe('an objectGUID', () => {
  test('is shown with its first three groups turned round, and goes back to its octets', () => {
    expect(guidText(OCTETS)).toBe(TEXT);
    expect(guidOctets(TEXT)).toEqual(OCTETS);
  });

  test.each([0, 15, 17])('of %d octets is none', (length) => {
    expect(guidText(Buffer.alloc(length))).toBeNull();
  });

  test.each([
    ['none', []],
    ['text', TEXT],
    ['two', [OCTETS, OCTETS]],
  ])('that is %s makes an entry nobody', (_what, objectGUID) => {
    expect(personFrom(entry({ objectGUID }), [], 'sAMAccountName', NOW)).toBeNull();
    expect(foundFrom(entry({ objectGUID }), 'sAMAccountName')).toBeNull();
    expect(groupsFrom([entry({ objectGUID })])).toEqual([]);
  });
});

describe('an account', () => {
  /** 100 ns from 1601. */
  const ticks = (ms: number): string => String((BigInt(ms) + 11_644_473_600_000n) * 10_000n);

  test.each([
    ['normal', {}, true],
    ['disabled', { userAccountControl: '514' }, false],
    ['disabled, with flags of 32 bits', { userAccountControl: '-2147483134' }, false],
    ['one that does not say', { userAccountControl: [] }, false],
    ['one that says nothing that can be read', { userAccountControl: '0x200' }, false],
    ['one that says two things', { userAccountControl: ['512', '512'] }, false],
    ['without end', { accountExpires: '0' }, true],
    ['without end, as Windows 2003 says it', { accountExpires: '9223372036854775807' }, true],
    ['with an end to come', { accountExpires: ticks(NOW + 1000) }, true],
    ['past its end', { accountExpires: ticks(NOW - 1) }, false],
    ['with an end that cannot be read', { accountExpires: 'soon' }, false],
  ])('%s', (_what, fields, enabled) => {
    expect(isEnabled(entry(fields), NOW)).toBe(enabled);
  });
});

describe('a primary group', () => {
  const sid = (...subAuthorities: number[]): Buffer => {
    const octets = Buffer.alloc(8 + 4 * subAuthorities.length);
    octets.set([1, subAuthorities.length, 0, 0, 0, 0, 0, 5]);
    subAuthorities.forEach((value, i) => octets.writeUInt32LE(value, 8 + 4 * i));
    return octets;
  };

  test('is of the same domain, with its own relative id', () => {
    const own = sid(21, 1, 2, 3, 1105);
    expect(primaryGroupSid(entry({ objectSid: own, primaryGroupID: '513' }))).toEqual(sid(21, 1, 2, 3, 513));
    expect(own).toEqual(sid(21, 1, 2, 3, 1105));
  });

  test.each([
    ['no SID', { primaryGroupID: '513' }],
    ['no relative id', { objectSid: sid(21, 1, 2, 3, 4) }],
    ['a negative one', { objectSid: sid(21, 1, 2, 3, 4), primaryGroupID: '-1' }],
    ['an empty one', { objectSid: sid(21, 1, 2, 3, 4), primaryGroupID: 'x' }],
    ['a SID that is cut', { objectSid: sid(21, 1, 2, 3, 4).subarray(0, 20), primaryGroupID: '513' }],
    ['a SID without parts', { objectSid: sid(), primaryGroupID: '513' }],
  ])('is not known by %s', (_what, fields) => {
    expect(primaryGroupSid(entry(fields))).toBeNull();
  });
});

describe('what goes to the plane', () => {
  test('has room in its schema, whatever the directory says', () => {
    const long = `${'x'.repeat(255)}😀`;
    const loud = entry({ sAMAccountName: long, displayName: long, cn: long });
    const person = personFrom(loud, groupsFrom([loud]), 'sAMAccountName', NOW);
    expect(DirectoryPerson.parse(person)).toEqual(person);
    expect(person?.loginName).toBe('x'.repeat(255));
    const found = { is: 'found', items: [foundFrom(loud, 'userPrincipalName')] };
    expect(DirectoryAnswer.parse(found)).toEqual(found);
  });

  test('falls back to the names that there are', () => {
    const plain = entry({ userPrincipalName: [], displayName: [], cn: [] });
    expect(personFrom(plain, [], 'userPrincipalName', NOW)).toMatchObject({ loginName: 'ada', displayName: 'ada' });
  });

  test('has each group once, in the order of their names', () => {
    const other = Buffer.from(OCTETS).fill(9, 15);
    const groups = groupsFrom([
      entry({ sAMAccountName: 'b' }),
      entry({ sAMAccountName: 'a', objectGUID: other }),
      entry({ sAMAccountName: 'b' }),
    ]);
    expect(groups.map(({ name }) => name)).toEqual(['a', 'b']);
  });

  test('tells groups from people', () => {
    expect(foundFrom(entry({ objectClass: ['top', 'group'] }), 'sAMAccountName')?.kind).toBe('group');
    expect(foundFrom(entry({ objectClass: ['top', 'person', 'user'] }), 'sAMAccountName')?.kind).toBe('user');
  });
});
