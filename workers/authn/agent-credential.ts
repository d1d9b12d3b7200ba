import * as z from 'zod';
import { AgentPrincipal } from '#schema/access.ts';
import { ClusterId } from '#schema/ids.ts';
import type { Config } from '../env.ts';
import { sign, verify } from './token.ts';

const GENERATION = 'outrider.dev/generation';

/**
 * The plane's word that a key belongs to a cluster's agent: the key is named by `cnf.jwk` (RFC 7800 §3.2, RFC 8037 §2), so the credential alone opens nothing.
 * It has no expiry, since a cluster may be cut off for months; it dies when its generation does. So it outlives an address of the plane too.
 */
const AGENT = {
  audience: 'outrider-agent',
  anyIssuer: true,
  type: 'outrider-agent+jwt',
  claims: z.object({
    sub: ClusterId,
    [GENERATION]: AgentPrincipal.shape.generation,
    cnf: z.object({
      jwk: z.object({ kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: AgentPrincipal.shape.publicKey }),
    }),
  }),
} as const;

/** Makes the credential of an agent. The same principal gives the same octets: registering twice changes nothing. */
export async function signAgentCredential(config: Config, agent: AgentPrincipal): Promise<string> {
  return await sign(config, AGENT, {
    sub: agent.cluster,
    [GENERATION]: agent.generation,
    cnf: { jwk: { kty: 'OKP', crv: 'Ed25519', x: agent.publicKey } },
  });
}

/** Whose tunnel a credential may dial. @throws OutriderError unauthenticated */
export async function verifyAgentCredential(config: Config, credential: string, now: number): Promise<AgentPrincipal> {
  const claims = await verify(config, AGENT, credential, now);
  return { cluster: claims.sub, generation: claims[GENERATION], publicKey: claims.cnf.jwk.x };
}
