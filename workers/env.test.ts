import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { testSecrets } from '#test/support/secrets.ts';
import { checkConfig, type RawConfig } from './env.ts';

const PEM = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';

const good = (): RawConfig => ({
  PUBLIC_URL: 'https://outrider.example.com:8443',
  PUBLIC_CA: '',
  AGENT_IMAGE: 'registry.example.com:5000/outrider/agent:1.0@sha256:0123',
  ...testSecrets(),
});

const sealing = (id: string) => ({ id, key: randomBytes(32).toString('base64url') });
const jwk = (kid: string) => ({ ...generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }), kid });

test('a good environment becomes keys that sign and verify', async () => {
  const config = await checkConfig(good());
  const data = new TextEncoder().encode('text');
  const [{ privateKey, publicKey }] = config.signingKeys;
  const signature = await crypto.subtle.sign('Ed25519', privateKey, data);
  expect(await crypto.subtle.verify('Ed25519', publicKey, signature, data)).toBe(true);
  expect(config.publicCa).toBeNull();
});

test('a private CA is kept as PEM that ends with a line feed', async () => {
  const config = await checkConfig({ ...good(), PUBLIC_CA: `${PEM.trim()}\n\n` });
  expect(config.publicCa).toBe(PEM);
});

test('the first key signs and the others stay good', async () => {
  const config = await checkConfig({ ...good(), SIGNING_KEYS: JSON.stringify([jwk('new'), jwk('old')]) });
  expect(config.signingKeys.map(({ kid }) => kid)).toEqual(['new', 'old']);
});

test('private keys cannot be taken out of the isolate', async () => {
  const config = await checkConfig(good());
  expect(config.signingKeys[0].privateKey.extractable).toBe(false);
  expect(config.clusterIdKey.extractable).toBe(false);
  expect(config.secretsKeys[0].key.extractable).toBe(false);
});

const bad: [string, Partial<RawConfig>][] = [
  ['PUBLIC_URL', { PUBLIC_URL: 'http://outrider.example.com' }],
  ['PUBLIC_URL', { PUBLIC_URL: 'https://outrider.example.com/' }],
  ['PUBLIC_URL', { PUBLIC_URL: 'https://outrider.example.com/path' }],
  ['PUBLIC_URL', { PUBLIC_URL: '' }],
  ['PUBLIC_CA', { PUBLIC_CA: 'not a certificate' }],
  ['PUBLIC_CA', { PUBLIC_CA: `${PEM}and more` }],
  ['AGENT_IMAGE', { AGENT_IMAGE: 'image\nkind: Pod' }],
  ['AGENT_IMAGE', { AGENT_IMAGE: '' }],
  ['SIGNING_KEYS', { SIGNING_KEYS: 'not JSON' }],
  ['SIGNING_KEYS', { SIGNING_KEYS: '[]' }],
  ['SIGNING_KEYS', { SIGNING_KEYS: JSON.stringify([{ ...jwk('a'), d: undefined }]) }],
  ['SIGNING_KEYS', { SIGNING_KEYS: JSON.stringify([{ ...jwk('a'), kid: undefined }]) }],
  ['SIGNING_KEYS', { SIGNING_KEYS: JSON.stringify([jwk('same'), jwk('same')]) }],
  ['CLUSTER_ID_KEY', { CLUSTER_ID_KEY: randomBytes(16).toString('base64url') }],
  ['AUDIT_LEVEL', { AUDIT_LEVEL: 'RequestResponse' }],
  ['AUDIT_WINDOW_DAYS', { AUDIT_WINDOW_DAYS: '00.5' }],
  ['AUDIT_WINDOW_ROWS', { AUDIT_WINDOW_ROWS: '-1000' }],
  ['REQUESTS_PER_TOKEN', { REQUESTS_PER_TOKEN: '00' }],
  ['SECRETS_KEYS', { SECRETS_KEYS: 'not JSON' }],
  ['SECRETS_KEYS', { SECRETS_KEYS: '[]' }],
  ['SECRETS_KEYS', { SECRETS_KEYS: JSON.stringify([{ id: 'a', key: randomBytes(16).toString('base64url') }]) }],
  ['SECRETS_KEYS', { SECRETS_KEYS: JSON.stringify([sealing('a b')]) }],
  ['SECRETS_KEYS', { SECRETS_KEYS: JSON.stringify([sealing('same'), sealing('same')]) }],
];

test.each(bad)('a bad %s is one line that names it and not its value: %o', async (name, change) => {
  const error = await checkConfig({ ...good(), ...change }).then(
    () => expect.fail('was taken'),
    (reason: unknown) => reason as Error,
  );
  expect(error.name).toBe('ConfigError');
  expect(error.message).toContain(name);
  expect(error.message).not.toContain('\n');
  for (const value of Object.values(change)) if (value.length > 1) expect(error.message).not.toContain(value);
});
