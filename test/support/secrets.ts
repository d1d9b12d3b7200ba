import { generateKeyPairSync, randomBytes } from 'node:crypto';

/** The secrets of wrangler.toml, new for every run: so no key is ever kept in the repository. */
export function testSecrets(): { SIGNING_KEYS: string; CLUSTER_ID_KEY: string; SECRETS_KEYS: string } {
  const key = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  return {
    SIGNING_KEYS: JSON.stringify([{ ...key, kid: 'test-1', alg: 'EdDSA', use: 'sig' }]),
    CLUSTER_ID_KEY: randomBytes(32).toString('base64url'),
    SECRETS_KEYS: JSON.stringify([{ id: 'test-1', key: randomBytes(32).toString('base64url') }]),
  };
}
