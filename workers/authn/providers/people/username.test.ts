import { expect, test } from 'vitest';
import { Username } from '#schema/api/people/users.ts';
import { usernamesFor } from './username.ts';

test.each([
  ['octocat', 'octocat'],
  ['Ada Lovelace', 'ada-lovelace'],
  ['Ünïcødé', 'unic-de'],
  ['ada@example.com', 'ada@example.com'],
  ['-.-', 'user'],
  ['', 'user'],
  ['system:admin', 'system-admin'],
  ['<script>', 'script'],
])('who is called %o elsewhere is called %o here', (loginName, username) => {
  expect([...usernamesFor(loginName)][0]).toBe(username);
});

test.each(['octocat', '', 'x'.repeat(300), `${'x'.repeat(63)}.${'y'.repeat(9)}`, '日本'])(
  'every name that is tried for %o is one that may be kept, and no two are alike',
  (loginName) => {
    const names = [...usernamesFor(loginName)];
    for (const name of names) expect(Username.parse(name)).toBe(name);
    expect(new Set(names).size).toBe(names.length);
  },
);
