import { scryptSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { hashPassword, verifyPassword } from './password.ts';

test('a password is kept with its parameters, salted, and known again', async () => {
  const [one, two] = [await hashPassword('correct horse battery'), await hashPassword('correct horse battery')];
  expect(one).toMatch(/^\$scrypt\$ln=15,r=8,p=3\$/);
  expect(one).not.toBe(two);
  expect(await verifyPassword('correct horse battery', one)).toBe(true);
  expect(await verifyPassword('correct horse batterz', one)).toBe(false);
});

/** A hash that takes a millisecond, as a plane with weaker parameters would have kept it. */
function cheapHash(password: string): string {
  const salt = Buffer.alloc(16, 1);
  const hash = scryptSync(password, salt, 32, { N: 1024, r: 8, p: 1 });
  const plain = (bytes: Buffer): string => bytes.toString('base64').replaceAll('=', '');
  return `$scrypt$ln=10,r=8,p=1$${plain(salt)}$${plain(hash)}`;
}

test('a hash of older parameters stays good', async () => {
  expect(await verifyPassword('old password', cheapHash('old password'))).toBe(true);
});

test('the same letters are the same password however a keyboard composes them', async () => {
  const stored = await hashPassword('pass\u00e9word12');
  expect(await verifyPassword('passe\u0301word12', stored)).toBe(true);
});

test('nobody has a password, and finding that out runs the hash too', async () => {
  const started = performance.now();
  await verifyPassword('x', null);
  const nobody = performance.now() - started;
  const stored = await hashPassword('some password');
  const again = performance.now();
  await verifyPassword('x', stored);
  const somebody = performance.now() - again;
  expect(nobody).toBeGreaterThan(somebody / 5);
  expect(await verifyPassword('', null)).toBe(false);
});

test.each(['', 'plain', '$scrypt$ln=30,r=8,p=3$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'])(
  'a stored hash that is none, or would exhaust the isolate, lets nobody in: %o',
  async (stored) => {
    await expect(verifyPassword('x', stored)).rejects.toThrow(/stored password/);
  },
);

test('a flood of sign-ins is turned away and not queued without bound', async () => {
  const stored = cheapHash('a password');
  const flood = Array.from({ length: 40 }, async () => await verifyPassword('a password', stored));
  const refused = (await Promise.allSettled(flood)).filter((result) => result.status === 'rejected');
  expect(refused).toHaveLength(24);
  for (const result of refused) expect(result.reason).toMatchObject({ code: 'overloaded' });
  expect(await verifyPassword('a password', stored)).toBe(true);
});
