import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { userGroupListing } from '../api/people/group-members.ts';
import { decodeContinue, encodeContinue, MAX_CONTINUE_LENGTH } from './continue.ts';
import { GlobalRoleBindingKind } from './kinds/global-role-bindings.ts';
import { flagFilter, listQuery, nextPage, readList, selectQuery, textFilter, type Listing } from './list.ts';

const listing = {
  fields: {
    name: { filter: textFilter, sort: 'text' },
    createdAt: { sort: 'number' },
    enabled: { filter: flagFilter },
  },
  order: 'name',
} as const satisfies Listing;
const query = listQuery(listing);

const ask = (given: Record<string, string> = {}) => readList(listing, query.parse(given));

test('a list that is asked for nothing has its order and a bound', () => {
  expect(ask()).toEqual({ filters: {}, sort: 'name', descending: false, limit: 100, after: null });
});

test('filters, order and limit are read from the query', () => {
  expect(ask({ enabled: 'false', name: 'ada', sort: '-createdAt', limit: '7' })).toEqual({
    filters: { name: 'ada', enabled: false },
    sort: 'createdAt',
    descending: true,
    limit: 7,
    after: null,
  });
});

test.each<Record<string, string>>([
  { limit: '0' },
  { limit: '501' },
  { limit: '-1' },
  { limit: '1e2' },
  { limit: '' },
  { sort: 'enabled' },
  { sort: 'password_hash' },
  { sort: 'name; DROP TABLE users' },
  { sort: '--name' },
  { sort: '' },
  { enabled: 'yes' },
  { name: '' },
  { name: 'x'.repeat(129) },
  { name: 'a\u0000b' },
  { createdAt: '1' },
  { other: '1' },
  { fields: 'metadata' },
  { continue: '' },
  { continue: 'x'.repeat(MAX_CONTINUE_LENGTH + 1) },
])('the query %o is refused', (given) => {
  expect(query.safeParse(given).success).toBe(false);
});

test('only what there is can be selected', () => {
  const selecting = selectQuery(listing, ['spec', 'spec.a']);
  expect(selecting.parse({ fields: 'spec.a,spec' }).fields).toEqual(['spec.a', 'spec']);
  for (const fields of ['', 'spec,', 'other', 'spec.b', '__proto__', 'spec.a.b', 'spec '])
    expect(selecting.safeParse({ fields }).success).toBe(false);
});

test('the next page is asked for by a token that goes on where this one ended', () => {
  const first = ask({ sort: '-createdAt', enabled: 'true' });
  const token = nextPage(first, { value: 1700000000, id: 'u-aaaaaaaaaa' });
  expect(ask({ sort: '-createdAt', enabled: 'true', limit: '3', continue: String(token) }).after).toEqual({
    value: 1700000000,
    id: 'u-aaaaaaaaaa',
  });
  expect(nextPage(first, null)).toBeNull();
});

test('a token is good for no other order and no other filters', () => {
  const token = String(nextPage(ask({ sort: 'createdAt', enabled: 'true' }), { value: 1, id: 'a' }));
  for (const other of [
    { sort: 'name', enabled: 'true' },
    { sort: '-createdAt', enabled: 'true' },
    { sort: 'createdAt', enabled: 'false' },
    { sort: 'createdAt' },
    { sort: 'createdAt', enabled: 'true', name: 'a' },
  ]) {
    expect(() => ask({ ...other, continue: token })).toThrow(expect.objectContaining({ code: 'invalid' }));
  }
});

const forge = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const context = JSON.stringify(['name', false, []]);

// Checked with the comparison of the value's type taken out: the rows with a number and with an object's went through.
test.each([
  ['nothing of ours', 'aGVsbG8'],
  ['no base64url', '!!!!'],
  ['padding', `${forge([1, context, 'a', 'b'])}=`],
  ['octets that are no UTF-8', Buffer.from([0xff, 0xfe, 0x00]).toString('base64url')],
  ['another version', forge([2, context, 'a', 'b'])],
  ['a number where the field has text', forge([1, context, 7, 'b'])],
  ['an object for a value', forge([1, context, { a: 1 }, 'b'])],
  ['null for a value', forge([1, context, null, 'b'])],
  ['no id', forge([1, context, 'a', ''])],
  ['a long id', forge([1, context, 'a', 'b'.repeat(513)])],
  ['a long value', forge([1, context, 'a'.repeat(513), 'b'])],
  ['one element more', forge([1, context, 'a', 'b', 'c'])],
  ['an object', forge({ 0: 1, 1: context, 2: 'a', 3: 'b', length: 4 })],
  ['a number that is none of SQLite', forge([1, context, 1e300, 'b'])],
])('a continue token with %s is refused', (_what, token) => {
  expect(() => ask({ continue: token })).toThrow(expect.objectContaining({ code: 'invalid' }));
});

test('a token holds its place, whatever is in it, and decoding never throws', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string({ unit: 'binary', maxLength: 100 }), fc.maxSafeInteger()),
      fc.string({ minLength: 1, maxLength: 64 }),
      fc.string({ maxLength: 100 }),
      (value, id, context) => {
        const token = encodeContinue({ value, id }, context);
        expect(token).toMatch(/^[A-Za-z0-9_-]+$/);
        expect(decodeContinue(token, context)).toEqual({ value, id });
        expect(decodeContinue(token, `${context}x`)).toBeNull();
      },
    ),
  );
  fc.assert(fc.property(fc.string(), (token) => void decodeContinue(token, '')));
});

test('the longest filters still make a token that is taken', () => {
  const text = '\u{10ffff}'.repeat(64);
  const token = String(nextPage(ask({ name: text }), { value: '\u{10ffff}'.repeat(128), id: 'x'.repeat(64) }));
  expect(token.length).toBeLessThanOrEqual(MAX_CONTINUE_LENGTH);
  expect(ask({ name: text, continue: token }).after).not.toBeNull();
});

// A backslash takes two octets in the place, and four in a filter. Tried with ids of 64 characters at most, and with a filter of 128 for a group: each time it failed.
test('lists of the longest group principals have a next page', () => {
  const group = `${'p'.repeat(32)}_group://${'\\'.repeat(200)}`;
  const text = '\\'.repeat(128);
  const rows: [Listing, Record<string, string>, string | number][] = [
    [userGroupListing, { source: text }, group],
    [GlobalRoleBindingKind.listing, { role: text, user: text, group }, Number.MAX_SAFE_INTEGER],
  ];
  for (const [of, filters, value] of rows) {
    const first = readList(of, listQuery(of).parse(filters));
    const token = String(nextPage(first, { value, id: group }));
    expect(readList(of, listQuery(of).parse({ ...filters, continue: token })).after).toEqual({ value, id: group });
  }
});
