import { expect, test } from 'vitest';
import { claimAt, groupsIn, namesIn } from './claims.ts';

const claims = {
  groups: ['a', 'b'],
  'https://example.com/groups': ['c'],
  realm_access: { roles: ['d'] },
  one: 'e',
  broken: [{ id: 1 }],
  preferred_username: 'ada',
  name: 'Ada\nLovelace',
};
const principals = (claim: string | null) => groupsIn(claims, claim, 'oidc').map(({ principal }) => principal);

test('groups are a list of texts or one text, by name, by an address, or a way down', () => {
  expect(principals('groups')).toEqual(['oidc_group://a', 'oidc_group://b']);
  expect(principals('https://example.com/groups')).toEqual(['oidc_group://c']);
  expect(principals('realm_access.roles')).toEqual(['oidc_group://d']);
  expect(principals('one')).toEqual(['oidc_group://e']);
  expect(principals('missing')).toEqual([]);
  expect(principals(null)).toEqual([]);
});

test('groups of another shape are refused, not taken for none', () => {
  expect(() => principals('broken')).toThrow('not a list of texts');
  expect(() => principals('realm_access')).toThrow('not a list of texts');
});

test('what an object inherits is no claim', () => {
  for (const name of ['constructor', '__proto__.toString', 'realm_access.constructor']) {
    expect(claimAt(claims, name)).toBeUndefined();
  }
});

test('a name is the configured one, else what there is, else the subject', () => {
  expect(namesIn(claims, { groupsClaim: null, nameClaim: 'one' }, 's')).toEqual({
    login: 'e',
    display: 'Ada Lovelace',
  });
  expect(namesIn(claims, { groupsClaim: null, nameClaim: 'x' }, 's').login).toBe('ada');
  expect(namesIn({}, { groupsClaim: null, nameClaim: 'x' }, 's')).toEqual({ login: 's', display: 's' });
});
