import { createLocalJWKSet, jwtVerify } from 'jose';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { mintToken } from './mint.ts';
import { loadSecrets } from './state/secrets.ts';

async function makeKey() {
  const folder = await mkdtemp(join(tmpdir(), 'outrider-test-'));
  const { signingKeys } = await loadSecrets(join(folder, 'secrets.json'));
  await rm(folder, { recursive: true });
  const [key] = signingKeys;
  if (!key) throw new Error('no key was made');
  return key;
}

test('a minted token verifies with the public half alone and says what was asked', async () => {
  const key = await makeKey();
  const token = await mintToken(key, {
    issuer: 'https://plane.example',
    audience: 'outrider',
    subject: 'u-abcdefghij',
  });
  const { d: _, ...publicHalf } = key;
  const { payload, protectedHeader } = await jwtVerify(token, createLocalJWKSet({ keys: [publicHalf] }), {
    issuer: 'https://plane.example',
    audience: 'outrider',
    subject: 'u-abcdefghij',
    algorithms: ['EdDSA'],
  });
  expect(protectedHeader).toEqual({ alg: 'EdDSA', kid: key.kid, typ: 'JWT' });
  expect(payload.jti).toMatch(/^t-[a-z2-7]{10}$/);
  expect(Number(payload.exp) - Number(payload.iat)).toBe(300);
});

test('a minted token cannot be asked to live longer than 300 s', async () => {
  const request = { issuer: 'https://plane.example', audience: 'outrider', subject: 'u-x', lifetime: 301 } as const;
  await expect(mintToken(await makeKey(), request)).rejects.toThrow(RangeError);
});
