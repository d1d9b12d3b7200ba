import { describe, expect, test } from 'vitest';

import { Hello, Proof, proofBytes, VERSIONS } from './hello.ts';
import { AGENT_LIMITS, MAX_HELLO_BYTES, PLANE_LIMITS } from '../limits.ts';

const challenge = { step: 'challenge', versions: [...VERSIONS], nonce: 'n'.repeat(43), limits: PLANE_LIMITS };
const settled = { step: 'settled', version: 1, standby: false };
const proof = {
  step: 'proof',
  version: 1,
  instance: '0123456789abcdef',
  epoch: 1,
  role: 'cluster',
  capabilities: ['http', 'upgrade'],
  limits: AGENT_LIMITS,
  agentVersion: '0.1.0',
  kubernetesVersion: 'v1.34.2',
  signature: 's'.repeat(86),
};

test.each([challenge, settled, proof])('$step is taken, with fields that a newer peer adds', (hello) => {
  expect(Hello.parse({ ...hello, added: { later: true } })).toEqual(hello);
});

test('the largest proof that the schema takes fits in a HELLO frame', () => {
  const largest = {
    ...proof,
    instance: 'z'.repeat(32),
    epoch: Number.MAX_SAFE_INTEGER,
    capabilities: Array.from({ length: 32 }, () => 'c'.repeat(32)),
    agentVersion: '€'.repeat(64),
    kubernetesVersion: '€'.repeat(64),
  };
  const octets = new TextEncoder().encode(JSON.stringify(Proof.parse(largest)));
  expect(octets.byteLength).toBeLessThanOrEqual(MAX_HELLO_BYTES);
});

describe('refused', () => {
  const breaches: [what: string, hello: object][] = [
    ['no step', { ...settled, step: undefined }],
    ['an unknown step', { ...settled, step: 'bye' }],
    ['no versions', { ...challenge, versions: [] }],
    ['version 0', { ...challenge, versions: [0] }],
    ['a version of 17 bits', { ...challenge, versions: [65_536] }],
    ['17 versions', { ...challenge, versions: Array.from({ length: 17 }, () => 1) }],
    ['a nonce of 42 characters', { ...challenge, nonce: 'n'.repeat(42) }],
    ['a nonce that is not base64url', { ...challenge, nonce: `${'n'.repeat(42)}+` }],
    ['a stream window below 1 KiB', { ...challenge, limits: { ...PLANE_LIMITS, streamWindow: 1023 } }],
    ['a stream window above 64 MiB', { ...challenge, limits: { ...PLANE_LIMITS, streamWindow: 64 * 1024 * 1024 + 1 } }],
    ['a session window above 256 MiB', { ...proof, limits: { ...AGENT_LIMITS, sessionWindow: 256 * 1024 * 1024 + 1 } }],
    ['a window that is no integer', { ...proof, limits: { ...AGENT_LIMITS, streamWindow: 2048.5 } }],
    ['no streams', { ...proof, limits: { ...AGENT_LIMITS, maxStreams: 0 } }],
    ['65,537 streams', { ...proof, limits: { ...AGENT_LIMITS, maxStreams: 65_537 } }],
    ['an instance of 15 characters', { ...proof, instance: 'a'.repeat(15) }],
    ['an instance in upper case', { ...proof, instance: 'A'.repeat(16) }],
    ['epoch 0', { ...proof, epoch: 0 }],
    ['an epoch that is no safe integer', { ...proof, epoch: 2 ** 53 }],
    ['an unknown role', { ...proof, role: 'admin' }],
    ['33 capabilities', { ...proof, capabilities: Array.from({ length: 33 }, () => 'http') }],
    ['a capability with a space', { ...proof, capabilities: ['ht tp'] }],
    ['a signature of 85 characters', { ...proof, signature: 's'.repeat(85) }],
    ['a version of 65 characters', { ...proof, agentVersion: 'v'.repeat(65) }],
  ];
  test.each(breaches)('%s', (_what, hello) => {
    expect(Hello.safeParse(hello).success).toBe(false);
  });
});

test('a proof is bound to nonce, cluster, instance and epoch', () => {
  const base = ['nonce', 'cluster', 'instance', 7] as const;
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  expect(text(proofBytes(...base))).toBe('outrider tunnel v1\nnonce\ncluster\ninstance\n7');
  const others = [
    proofBytes('other', 'cluster', 'instance', 7),
    proofBytes('nonce', 'other', 'instance', 7),
    proofBytes('nonce', 'cluster', 'other', 7),
    proofBytes('nonce', 'cluster', 'instance', 8),
  ].map(text);
  expect(new Set([text(proofBytes(...base)), ...others]).size).toBe(5);
});
