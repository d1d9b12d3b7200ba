import { createHmac, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { beforeAll, expect, test } from 'vitest';
import { Principal } from '#schema/access.ts';
import { checkConfig, type Config } from '../env.ts';
import { signAgentCredential, verifyAgentCredential } from './agent-credential.ts';
import { verifyOperator } from './operator.ts';
import { sign, signToken, verifyToken } from './token.ts';

const NOW = 1_800_000_000;
const pair = generateKeyPairSync('ed25519');
const stranger = generateKeyPairSync('ed25519');

let config: Config;
beforeAll(async () => {
  config = await checkConfig({
    PUBLIC_URL: 'https://plane.example.com',
    PUBLIC_CA: '',
    AGENT_IMAGE: 'agent:1',
    SIGNING_KEYS: JSON.stringify([{ ...pair.privateKey.export({ format: 'jwk' }), kid: 'k1' }]),
    CLUSTER_ID_KEY: 'A'.repeat(43),
    SECRETS_KEYS: JSON.stringify([{ id: 'a', key: 'A'.repeat(43) }]),
  });
});

const principal: Principal = {
  user: 'u-aaaaaaaaaa',
  token: 't-bbbbbbbbbb',
  issuedAt: NOW,
  expiresAt: NOW + 60,
  cluster: null,
  readOnly: false,
  accessVersion: 7,
};

const claims = { sub: principal.user, jti: principal.token, iat: NOW, exp: NOW + 60 };
const issued = { iss: 'https://plane.example.com', aud: 'outrider', ...claims };

const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A JWT made by hand: the library that is under test would not make most of these. */
async function forge(header: object, payload: object, key: KeyObject = pair.privateKey): Promise<string> {
  const signed = `${base64url(header)}.${base64url(payload)}`;
  const { sign: signBytes } = await import('node:crypto');
  return `${signed}.${signBytes(null, Buffer.from(signed), key).toString('base64url')}`;
}

const GOOD = { alg: 'EdDSA', kid: 'k1', typ: 'JWT' };

test('a token says again what its principal was', async () => {
  expect(await verifyToken(config, await signToken(config, principal), NOW)).toEqual(principal);
  const scoped = { ...principal, cluster: 'c-gaaaaaaaaaabbbbbbbb', readOnly: true };
  expect(await verifyToken(config, await signToken(config, scoped), NOW)).toEqual(scoped);
});

test('a token that the supervisor made, without our own claims, is good', async () => {
  const token = await forge(GOOD, issued);
  expect(await verifyToken(config, token, NOW)).toEqual({ ...principal, accessVersion: 0 });
});

const spki = pair.publicKey.export({ type: 'spki', format: 'pem' }).toString();
const ownJwk = stranger.publicKey.export({ format: 'jwk' });

/**
 * What is attacked → the token. Checked by taking out, one at a time, the pinned algorithm, the look-up by kid, and the checks of type, issuer and audience: each time a row
 * below was let in. (That Ed25519 keys take no HMAC and no `none` is the key's own doing, besides.)
 */
const forgeries: Record<string, () => Promise<string> | string> = {
  'no signature at all (alg none)': () => `${base64url({ ...GOOD, alg: 'none' })}.${base64url(issued)}.`,
  'algorithm confusion: HMAC keyed with the public key in PEM': () => {
    const signed = `${base64url({ ...GOOD, alg: 'HS256' })}.${base64url(issued)}`;
    return `${signed}.${createHmac('sha256', spki).update(signed).digest('base64url')}`;
  },
  'algorithm confusion: HMAC keyed with the raw public key': () => {
    const signed = `${base64url({ ...GOOD, alg: 'HS256' })}.${base64url(issued)}`;
    const raw = Buffer.from(String(pair.publicKey.export({ format: 'jwk' }).x), 'base64url');
    return `${signed}.${createHmac('sha256', raw).update(signed).digest('base64url')}`;
  },
  'a key of the attacker under our kid': async () => await forge(GOOD, issued, stranger.privateKey),
  'a key that the header brings (jwk)': async () =>
    await forge({ alg: 'EdDSA', typ: 'JWT', jwk: ownJwk }, issued, stranger.privateKey),
  'a key that the header brings beside our kid (jwk)': async () =>
    await forge({ ...GOOD, jwk: ownJwk }, issued, stranger.privateKey),
  'a key that the header points to (jku)': async () =>
    await forge({ ...GOOD, kid: 'k2', jku: 'https://evil.example/jwks' }, issued, stranger.privateKey),
  'the other name of our algorithm (RFC 9864), which this plane never uses': async () =>
    await forge({ ...GOOD, alg: 'Ed25519' }, issued),
  'an unknown kid': async () => await forge({ ...GOOD, kid: 'k2' }, issued),
  'no kid': async () => await forge({ alg: 'EdDSA', typ: 'JWT' }, issued),
  'kid injection: a path': async () => await forge({ ...GOOD, kid: '../../k1' }, issued),
  'kid injection: a property of every object': async () => await forge({ ...GOOD, kid: '__proto__' }, issued),
  'kid injection: SQL': async () => await forge({ ...GOOD, kid: "k1' OR '1'='1" }, issued),
  'kid injection: not a text': async () => await forge({ ...GOOD, kid: ['k1'] }, issued),
  'a critical extension that we do not know': async () => await forge({ ...GOOD, crit: ['x'], x: 1 }, issued),
  'another issuer': async () => await forge(GOOD, { ...issued, iss: 'https://other.example.com' }),
  'no issuer': async () => await forge(GOOD, { ...issued, iss: undefined }),
  'another audience': async () => await forge(GOOD, { ...issued, aud: 'other' }),
  'no audience': async () => await forge(GOOD, { ...issued, aud: undefined }),
  expired: async () => await forge(GOOD, { ...issued, exp: NOW }),
  'no expiry': async () => await forge(GOOD, { ...issued, exp: undefined }),
  'not yet valid': async () => await forge(GOOD, { ...issued, nbf: NOW + 60 }),
  'another type': async () => await forge({ ...GOOD, typ: 'at+jwt' }, issued),
  'a subject that is no person': async () => await forge(GOOD, { ...issued, sub: 'system:admin' }),
  'a token id that is none': async () => await forge(GOOD, { ...issued, jti: '__proto__' }),
  'a scope that is no cluster': async () => await forge(GOOD, { ...issued, 'outrider.dev/cluster': '*' }),
  'a claim of ours that nobody here knows, and that may be a restriction': async () =>
    await forge(GOOD, { ...issued, 'outrider.dev/namespace': 'default' }),
  "another kind's claim": async () => await forge(GOOD, { ...issued, 'outrider.dev/generation': 1 }),
  'a changed claim': async () => {
    const [header, , signature] = (await forge(GOOD, issued)).split('.');
    return `${header}.${base64url({ ...issued, sub: 'u-cccccccccc' })}.${signature}`;
  },
  'longer than any of ours': async () => await forge(GOOD, { ...issued, padding: 'x'.repeat(3000) }),
  'an operator token': async () => await sign(config, { audience: 'outrider-operator', type: 'JWT' }, claims),
  'an agent credential': async () =>
    await signAgentCredential(config, { cluster: 'c-gaaaaaaaaaabbbbbbbb', publicKey: 'A'.repeat(43), generation: 1 }),
  nothing: () => '',
  'no JWT': () => 'abc',
};

test.each(Object.entries(forgeries))('refused, with one answer for all: %s', async (_what, make) => {
  await expect(verifyToken(config, await make(), NOW)).rejects.toMatchObject({
    code: 'unauthenticated',
    message: 'the token is not valid or has expired; sign in again',
  });
});

test('a retired key verifies until it is taken out', async () => {
  const old = await signToken(config, principal);
  const next = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  const raw = {
    PUBLIC_URL: config.publicUrl,
    PUBLIC_CA: '',
    AGENT_IMAGE: 'agent:1',
    CLUSTER_ID_KEY: 'A'.repeat(43),
    SECRETS_KEYS: JSON.stringify([{ id: 'a', key: 'A'.repeat(43) }]),
  };
  const keys = [
    { ...next, kid: 'k2' },
    { ...pair.privateKey.export({ format: 'jwk' }), kid: 'k1' },
  ];
  const rotated = await checkConfig({ ...raw, SIGNING_KEYS: JSON.stringify(keys) });
  expect(await verifyToken(rotated, old, NOW)).toEqual(principal);
  const retired = await checkConfig({ ...raw, SIGNING_KEYS: JSON.stringify(keys.slice(0, 1)) });
  await expect(verifyToken(retired, old, NOW)).rejects.toMatchObject({ code: 'unauthenticated' });
});

test('an agent credential names its cluster, key and generation, and has no expiry', async () => {
  const agent = { cluster: 'c-gaaaaaaaaaabbbbbbbb', publicKey: 'A'.repeat(43), generation: 3 };
  const credential = await signAgentCredential(config, agent);
  expect(await verifyAgentCredential(config, credential, NOW + 10 * 365 * 86_400)).toEqual(agent);
  expect(await signAgentCredential(config, agent)).toBe(credential);
});

test.each(['outrider', 'outrider-operator'])('a token for %s is no agent credential', async (audience) => {
  const token = await sign(config, { audience, type: 'JWT' }, claims);
  await expect(verifyAgentCredential(config, token, NOW)).rejects.toMatchObject({ code: 'unauthenticated' });
});

test('an agent credential outlives an address of the plane, and no other token does', async () => {
  const agent = { cluster: 'c-gaaaaaaaaaabbbbbbbb', publicKey: 'A'.repeat(43), generation: 3 };
  const moved: Config = { ...config, publicUrl: 'https://new.example.com' };
  expect(await verifyAgentCredential(moved, await signAgentCredential(config, agent), NOW)).toEqual(agent);
  await expect(verifyToken(moved, await signToken(config, principal), NOW)).rejects.toMatchObject({
    code: 'unauthenticated',
  });
});

test('an agent credential that says more than this plane knows is refused', async () => {
  const more = { sub: 'c-gaaaaaaaaaabbbbbbbb', 'outrider.dev/generation': 3, 'outrider.dev/role': 'node' };
  const cnf = { jwk: { kty: 'OKP', crv: 'Ed25519', x: 'A'.repeat(43) } };
  const credential = await sign(config, { audience: 'outrider-agent', type: 'outrider-agent+jwt' }, { ...more, cnf });
  await expect(verifyAgentCredential(config, credential, NOW)).rejects.toMatchObject({ code: 'unauthenticated' });
});

test('a principal with a field that its reader does not know is refused', () => {
  expect(Principal.safeParse(principal).success).toBe(true);
  expect(Principal.safeParse({ ...principal, namespace: 'default' }).success).toBe(false);
});

const operator = { audience: 'outrider-operator', type: 'JWT' };

test('an operator token of five minutes is good, a longer one is not', async () => {
  const short = await sign(config, operator, { sub: 'operator', iat: NOW, exp: NOW + 300 });
  await expect(verifyOperator(config, short, NOW)).resolves.toBeUndefined();
  const long = await sign(config, operator, { sub: 'operator', iat: NOW, exp: NOW + 301 });
  await expect(verifyOperator(config, long, NOW)).rejects.toMatchObject({ code: 'unauthenticated' });
  const shifted = await sign(config, operator, { sub: 'operator', iat: NOW + 86_400, exp: NOW + 86_500 });
  await expect(verifyOperator(config, shifted, NOW)).rejects.toMatchObject({ code: 'unauthenticated' });
});

test("a person's token does not make its bearer the operator", async () => {
  await expect(verifyOperator(config, await signToken(config, principal), NOW)).rejects.toMatchObject({
    code: 'unauthenticated',
  });
  const person = await sign(config, operator, { ...claims });
  await expect(verifyOperator(config, person, NOW)).rejects.toMatchObject({ code: 'unauthenticated' });
});
