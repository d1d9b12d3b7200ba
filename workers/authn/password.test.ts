import { scryptSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { NO_PASSWORD } from '../store/users.ts';
import { hashPassword, verifyPassword } from './password.ts';

test('a password is kept with its parameters, salted, and known again', () => {
  const [one, two] = [hashPassword('correct horse battery'), hashPassword('correct horse battery')];
  expect(one).toMatch(/^\$scrypt\$ln=15,r=8,p=3\$/);
  expect(one).not.toBe(two);
  expect(verifyPassword('correct horse battery', one)).toBe(true);
  expect(verifyPassword('correct horse batterz', one)).toBe(false);
});

/** A hash that takes a millisecond, as a plane with weaker parameters would have kept it. */
function cheapHash(password: string): string {
  const salt = Buffer.alloc(16, 1);
  const hash = scryptSync(password, salt, 32, { N: 1024, r: 8, p: 1 });
  const plain = (bytes: Buffer): string => bytes.toString('base64').replaceAll('=', '');
  return `$scrypt$ln=10,r=8,p=1$${plain(salt)}$${plain(hash)}`;
}

test('a hash of older parameters stays good', () => {
  expect(verifyPassword('old password', cheapHash('old password'))).toBe(true);
});

test('the same letters are the same password however a keyboard composes them', () => {
  const stored = hashPassword('pass\u00e9word12');
  expect(verifyPassword('passe\u0301word12', stored)).toBe(true);
});

test.each([
  ['nobody', null],
  ['somebody who signs in elsewhere', NO_PASSWORD],
])('that %s has no password takes as long to find out', (_who, none) => {
  const started = performance.now();
  verifyPassword('x', none);
  const nobody = performance.now() - started;
  const stored = hashPassword('some password');
  const again = performance.now();
  verifyPassword('x', stored);
  const somebody = performance.now() - again;
  expect(nobody).toBeGreaterThan(somebody / 5);
  for (const password of ['', NO_PASSWORD]) expect(verifyPassword(password, none)).toBe(false);
});

test.each(['', 'plain', '$scrypt$ln=30,r=8,p=3$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'])(
  'a stored hash that is none, or would exhaust the isolate, lets nobody in: %o',
  (stored) => {
    expect(() => verifyPassword('x', stored)).toThrow(/stored password/);
  },
);
