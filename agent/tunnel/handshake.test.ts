import { webcrypto } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ProtocolCode } from '#schema/protocol/codec/codes.ts';
import { type Challenge, Proof, proofBytes } from '#schema/protocol/codec/hello.ts';
import { AGENT_LIMITS, PLANE_LIMITS } from '#schema/protocol/limits.ts';
import { Handshake, prove } from './handshake.ts';

const challenge: Challenge = { step: 'challenge', versions: [1], nonce: 'n'.repeat(43), limits: PLANE_LIMITS };
const settled = { step: 'settled', version: 1, standby: false };
const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

describe('HELLO', () => {
  it('is challenge, proof, settled', () => {
    const handshake = new Handshake();
    expect(handshake.receive(bytes(challenge))).toMatchObject({ do: 'prove', version: 1 });
    expect(handshake.settled).toBe(false);
    expect(handshake.receive(bytes(settled))).toMatchObject({ do: 'settle', limits: PLANE_LIMITS });
    expect(handshake.settled).toBe(true);
  });

  it('takes the best version that both speak', () => {
    expect(new Handshake().receive(bytes({ ...challenge, versions: [7, 1] }))).toMatchObject({ version: 1 });
  });

  it.each([
    ['no common version', [{ ...challenge, versions: [2, 3] }], ProtocolCode.VERSION],
    ['another version than agreed', [challenge, { ...settled, version: 2 }], ProtocolCode.VERSION],
    ['settled first', [settled], ProtocolCode.PROTOCOL_ERROR],
    ['two challenges: a second signature', [challenge, challenge], ProtocolCode.PROTOCOL_ERROR],
    ['settled twice', [challenge, settled, settled], ProtocolCode.PROTOCOL_ERROR],
    ['an unknown step', [{ step: 'proof' }], ProtocolCode.PROTOCOL_ERROR],
    ['a short nonce', [{ ...challenge, nonce: 'short' }], ProtocolCode.PROTOCOL_ERROR],
    [
      'windows without bound',
      [{ ...challenge, limits: { ...PLANE_LIMITS, streamWindow: 2 ** 40 } }],
      ProtocolCode.PROTOCOL_ERROR,
    ],
  ])('fails for %s', (_case, hellos, code) => {
    const handshake = new Handshake();
    const last = hellos.at(-1);
    for (const hello of hellos.slice(0, -1)) handshake.receive(bytes(hello));
    expect(() => handshake.receive(bytes(last))).toThrow(expect.objectContaining({ code }));
  });

  it('fails for what is not JSON', () => {
    expect(() => new Handshake().receive(new Uint8Array([0xff, 0x7b]))).toThrow('not JSON');
  });
});

it('proves the key over nonce, cluster, instance and epoch', async () => {
  const pair = (await webcrypto.subtle.generateKey('Ed25519', true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
  const payload = await prove(challenge, 1, {
    cluster: 'c-gabc',
    instance: 'a'.repeat(16),
    epoch: 3,
    role: 'cluster',
    capabilities: ['http'],
    limits: AGENT_LIMITS,
    agentVersion: '0.1.0',
    kubernetesVersion: 'v1.34.2',
    privateKey: pair.privateKey,
  });
  const proof = Proof.parse(JSON.parse(new TextDecoder().decode(payload)));
  const signature = Buffer.from(proof.signature, 'base64url');
  const verify = (claimed: Uint8Array<ArrayBuffer>) =>
    webcrypto.subtle.verify('Ed25519', pair.publicKey, signature, claimed);
  expect(await verify(proofBytes(challenge.nonce, 'c-gabc', 'a'.repeat(16), 3))).toBe(true);
  expect(await verify(proofBytes(challenge.nonce, 'c-gabd', 'a'.repeat(16), 3))).toBe(false);
  expect(await verify(proofBytes(challenge.nonce, 'c-gabc', 'a'.repeat(16), 4))).toBe(false);
});
