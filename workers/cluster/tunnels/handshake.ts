import { base64url } from 'jose';
import type { AgentPrincipal } from '#schema/access.ts';
import { ProtocolCode, ProtocolError } from '#schema/protocol/codec/codes.ts';
import { Proof, proofBytes, VERSIONS, type Challenge } from '#schema/protocol/codec/hello.ts';
import { PLANE_LIMITS } from '#schema/protocol/limits.ts';
import type { Challenged, Settled } from './attachment.ts';

/** A fresh challenge for a dial by `agent`, and what the socket must remember of it. */
export function challenge(agent: AgentPrincipal, now: number): { hello: Challenge; attachment: Challenged } {
  const nonce = base64url.encode(crypto.getRandomValues(new Uint8Array(32)));
  return {
    hello: { step: 'challenge', versions: [...VERSIONS], nonce, limits: PLANE_LIMITS },
    attachment: { state: 'challenged', agent, nonce, acceptedAt: now },
  };
}

/**
 * Checks an agent's answer to its challenge.
 * @throws ProtocolError VERSION, UNAUTHENTICATED or PROTOCOL_ERROR.
 */
export async function settle({ agent, nonce }: Challenged, payload: Uint8Array, now: number): Promise<Settled> {
  const proof = parse(payload);
  if (!VERSIONS.some((version) => version === proof.version)) {
    throw new ProtocolError(ProtocolCode.VERSION, `version ${proof.version} is not among ${VERSIONS.join(', ')}`);
  }
  const signed = proofBytes(nonce, agent.cluster, proof.instance, proof.epoch);
  const key = await crypto.subtle.importKey('raw', base64url.decode(agent.publicKey), 'Ed25519', false, ['verify']);
  if (!(await crypto.subtle.verify('Ed25519', key, base64url.decode(proof.signature), signed))) {
    throw new ProtocolError(ProtocolCode.UNAUTHENTICATED, 'the signature over the nonce does not hold');
  }
  const { instance, epoch, role, capabilities, limits, agentVersion, kubernetesVersion } = proof;
  return {
    state: 'settled',
    agent,
    instance,
    epoch,
    role,
    capabilities,
    limits,
    agentVersion,
    kubernetesVersion,
    settledAt: now,
    draining: false,
  };
}

function parse(payload: Uint8Array): Proof {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(payload));
  } catch {
    throw new ProtocolError(ProtocolCode.PROTOCOL_ERROR, 'HELLO is not JSON');
  }
  const parsed = Proof.safeParse(value);
  if (!parsed.success) throw new ProtocolError(ProtocolCode.PROTOCOL_ERROR, 'HELLO is not a proof');
  return parsed.data;
}
