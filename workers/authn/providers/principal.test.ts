import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { GroupPrincipal } from '#schema/ids.ts';
import { groupsOf, MAX_GROUPS, principalOf, shownName } from './principal.ts';

test('plain ids stay as they are, others are encoded', () => {
  expect(principalOf('oidc', 'group', 'team-a/b')).toBe('oidc_group://team-a/b');
  expect(principalOf('oidc', 'group', 'a b%ü')).toBe('oidc_group://a%20b%25%C3%BC');
});

test('no two ids become one principal, and every principal may stand in a header', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 20 }), fc.string({ unit: 'binary', maxLength: 20 }), (a, b) => {
      const [one, two] = [principalOf('oidc', 'group', a), principalOf('oidc', 'group', b)];
      if (one !== null) expect(GroupPrincipal.parse(one)).toBe(one);
      if (one !== null && a !== b) expect(one).not.toBe(two);
    }),
  );
});

test.each(['', '\ud800', 'x'.repeat(201), 'ü'.repeat(40)])('an id that cannot be carried is none: %o', (id) => {
  expect(principalOf('oidc', 'group', id)).toBeNull();
});

test('each group counts once, and one that cannot be carried not at all', () => {
  const group = (principal: string | null) => ({ principal, displayName: 'x' });
  expect(groupsOf([group('a_group://1'), group('a_group://1'), group(null)])).toHaveLength(1);
  const many = Array.from({ length: MAX_GROUPS + 1 }, (_, i) => group(`a_group://${i}`));
  expect(() => groupsOf(many)).toThrow('more than');
});

test('a name that is shown has no line ends, and nothing that turns text around', () => {
  expect(shownName(' a\r\nb\u202ec\0 ')).toBe('a b c');
});
