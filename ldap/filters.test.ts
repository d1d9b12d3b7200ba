import { assert, property, string } from 'fast-check';
import { BerReader, BerWriter, type Filter, FilterParser } from 'ldapts';
import { expect, test } from 'vitest';
import { groupsOf, named, personNamed, personOf } from './filters.ts';

/** As it goes out, read back by a parser of the same octets. */
function sent(filter: Filter): string {
  const writer = new BerWriter();
  filter.write(writer);
  return String(FilterParser.parse(new BerReader(writer.buffer)));
}

test('a person is looked for by one attribute, among people', () => {
  expect(String(personNamed('sAMAccountName', 'ada'))).toBe('(&(sAMAccountType=805306368)(sAMAccountName=ada))');
  expect(String(personNamed('userPrincipalName', 'ada@x'))).toBe(
    '(&(sAMAccountType=805306368)(userPrincipalName=ada@x))',
  );
});

// RFC 4515 §3: what these mean inside a filter is taken from them.
test.each([
  ['*', '\\2a'],
  ['ada)(objectClass=*', 'ada\\29\\28objectClass=\\2a'],
  ['\\2a', '\\5c2a'],
  ['*)(|(sAMAccountName=*', '\\2a\\29\\28|\\28sAMAccountName=\\2a'],
])('the name %s stays one value', (name, escaped) => {
  expect(String(personNamed('sAMAccountName', name))).toBe(`(&(sAMAccountType=805306368)(sAMAccountName=${escaped}))`);
});

test('any name goes out as its own octets, and changes nothing around it', () => {
  assert(
    property(string({ unit: 'grapheme', minLength: 1, maxLength: 64 }), (name) => {
      const writer = new BerWriter();
      personNamed('sAMAccountName', name).write(writer);
      const reader = new BerReader(writer.buffer);
      // AND of two equalities: type, value; and nothing after them.
      expect(reader.readSequence()).toBe(0xa0);
      const values = [1, 2].map(() => {
        expect(reader.readSequence()).toBe(0xa3);
        return [reader.readString(), reader.readString()];
      });
      expect(values).toEqual([
        ['sAMAccountType', '805306368'],
        ['sAMAccountName', name],
      ]);
      expect(reader.remain).toBe(0);
    }),
  );
});

test('an objectGUID is octets, also where they are no text', () => {
  const octets = Buffer.from('ff002a28295c80fe0011223344556677', 'hex');
  const writer = new BerWriter();
  personOf(octets).write(writer);
  expect(writer.buffer.subarray(-octets.byteLength)).toEqual(octets);
});

test('groups are security groups, of a person or of a chain that begins there', () => {
  const security = '(&(objectClass=group)(groupType:1.2.840.113556.1.4.803:=2147483648))';
  expect(String(groupsOf(['CN=A\\, (B),DC=x'], false))).toBe(`(&${security}(|(member=CN=A\\5c, \\28B\\29,DC=x)))`);
  expect(String(groupsOf(['CN=A', 'CN=B'], true))).toBe(
    `(&${security}(|(member:1.2.840.113556.1.4.1941:=CN=A)(member:1.2.840.113556.1.4.1941:=CN=B)))`,
  );
});

test('a search is for beginnings, and a star in it is a star', () => {
  expect(sent(named('a*'))).toContain('(cn=a\\2a*)');
  expect(sent(named('a*'))).toContain('(samaccountname=a\\2a*)');
});
