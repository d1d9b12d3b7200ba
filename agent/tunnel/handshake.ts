import type { webcrypto } from 'node:crypto';
import { ProtocolCode, ProtocolError } from '#schema/protocol/codec/codes.ts';
import {
  type AgentRole,
  type Challenge,
  Hello,
  type Proof,
  proofBytes,
  type Settled,
  VERSIONS,
} from '#schema/protocol/codec/hello.ts';
import type { SessionLimits } from '#schema/protocol/limits.ts';

/** What the agent claims in HELLO. */
export interface Claim {
  cluster: string;
  instance: string;
  epoch: number;
  role: AgentRole;
  capabilities: readonly string[];
  limits: SessionLimits;
  agentVersion: string;
  kubernetesVersion: string;
  /** Ed25519, for signing. */
  privateKey: webcrypto.CryptoKey;
}

/** What to do after a HELLO of the plane's. */
export type HandshakeStep =
  | { do: 'prove'; challenge: Challenge; version: number }
  | { do: 'settle'; settled: Settled; limits: SessionLimits };

function violation(detail: string): ProtocolError {
  return new ProtocolError(ProtocolCode.PROTOCOL_ERROR, detail);
}

/** The agent's side of HELLO as a state machine: challenge, then settled, each once. It knows no socket and no clock. */
export class Handshake {
  #challenge: Challenge | null = null;
  #version = 0;
  #settled = false;

  get settled(): boolean {
    return this.#settled;
  }

  /**
   * Takes the payload of a HELLO frame.
   * @throws ProtocolError PROTOCOL_ERROR for a HELLO that is malformed or out of turn, VERSION when no version is spoken by both.
   */
  receive(payload: Uint8Array): HandshakeStep {
    const hello = parse(payload);
    if (hello.step === 'challenge' && this.#challenge === null) return this.#challenged(hello);
    if (hello.step === 'settled' && this.#challenge !== null && !this.#settled)
      return this.#settle(hello, this.#challenge);
    throw violation(`HELLO ${hello.step} out of turn`);
  }

  #challenged(challenge: Challenge): HandshakeStep {
    const version = VERSIONS.find((ours) => challenge.versions.includes(ours));
    if (version === undefined) {
      throw new ProtocolError(
        ProtocolCode.VERSION,
        `the agent speaks protocol ${VERSIONS.join(', ')}, the plane ${challenge.versions.join(', ')}`,
      );
    }
    this.#challenge = challenge;
    this.#version = version;
    return { do: 'prove', challenge, version };
  }

  #settle(settled: Settled, challenge: Challenge): HandshakeStep {
    if (settled.version !== this.#version)
      throw new ProtocolError(ProtocolCode.VERSION, 'the plane settled on a version that was not agreed');
    this.#settled = true;
    return { do: 'settle', settled, limits: challenge.limits };
  }
}

function parse(payload: Uint8Array): Hello {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  } catch {
    throw violation('HELLO is not JSON');
  }
  const hello = Hello.safeParse(json);
  if (!hello.success) throw violation('HELLO does not fit its schema');
  return hello.data;
}

/** The payload of the agent's HELLO: what it claims, signed together with the plane's nonce. */
export async function prove(challenge: Challenge, version: number, claim: Claim): Promise<Uint8Array> {
  const { cluster, instance, epoch, role, capabilities, limits, agentVersion, kubernetesVersion, privateKey } = claim;
  const signature = await crypto.subtle.sign(
    'Ed25519',
    privateKey,
    proofBytes(challenge.nonce, cluster, instance, epoch),
  );
  const proof: Proof = {
    step: 'proof',
    version,
    instance,
    epoch,
    role,
    capabilities: [...capabilities],
    limits,
    agentVersion,
    kubernetesVersion,
    signature: Buffer.from(signature).toString('base64url'),
  };
  return new TextEncoder().encode(JSON.stringify(proof));
}
