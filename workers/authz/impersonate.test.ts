import { expect, test } from 'vitest';
import { impersonationFields } from './impersonate.ts';

test('an identity becomes one user, one field per group, and the extras of Outrider', () => {
  const fields = impersonationFields({
    user: 'u-aaaaaaaaaa',
    groups: ['outrider.dev:cluster-owner', 'a,b', 'system:authenticated'],
    username: 'ada',
    token: 't-aaaaaaaaaa',
  });
  expect(fields).toEqual([
    ['impersonate-user', 'u-aaaaaaaaaa'],
    ['impersonate-group', 'outrider.dev:cluster-owner'],
    ['impersonate-group', 'a,b'],
    ['impersonate-group', 'system:authenticated'],
    ['impersonate-extra-outrider.dev%2fusername', 'ada'],
    ['impersonate-extra-outrider.dev%2ftoken', 't-aaaaaaaaaa'],
  ]);
});

test.each([
  ['line feeds', 'a\nimpersonate-group:system:masters', 'a%0Aimpersonate-group%3Asystem%3Amasters'],
  ['umlauts', 'jürgen', 'j%C3%BCrgen'],
  ['outer spaces', ' ada', '%20ada'],
])('a username with %s cannot forge a field', (_, username, value) => {
  const fields = impersonationFields({ user: 'u-aaaaaaaaaa', groups: [], username, token: 't-aaaaaaaaaa' });
  expect(fields[1]).toEqual(['impersonate-extra-outrider.dev%2fusername', value]);
});
