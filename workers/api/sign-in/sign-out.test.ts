import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { checkConfig } from '../../env.ts';
import type { Deps } from '../handler.ts';
import { handleGetKeys } from './sign-out.ts';

const jwk = (kid: string): object => ({ ...generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }), kid });

test('while a key is being rotated both are published, the one that signs first, and neither private half', async () => {
  const keys = [jwk('new'), jwk('old')];
  const config = await checkConfig({
    PUBLIC_URL: 'https://plane.example.com',
    PUBLIC_CA: '',
    AGENT_IMAGE: 'agent:1',
    SIGNING_KEYS: JSON.stringify(keys),
    CLUSTER_ID_KEY: 'A'.repeat(43),
    SECRETS_KEYS: JSON.stringify([{ id: 'a', key: 'A'.repeat(43) }]),
  });
  const published = await handleGetKeys({ params: {}, query: {}, headers: {}, body: {} }, { config } as Deps, null);
  expect(published.keys.map(({ kid }) => kid)).toEqual(['new', 'old']);
  for (const key of published.keys)
    expect(Object.keys(key).toSorted()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x']);
});
