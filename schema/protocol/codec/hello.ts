import * as z from 'zod';
import type { SessionLimits } from '../limits.ts';

/** Versions of the protocol that this code speaks, best first. */
export const VERSIONS = [1] as const;

const limits = z.object({
  streamWindow: z
    .int()
    .min(1024)
    .max(64 * 1024 * 1024),
  sessionWindow: z
    .int()
    .min(1024)
    .max(256 * 1024 * 1024),
  maxStreams: z.int().min(1).max(65_536),
}) satisfies z.ZodType<SessionLimits>;

const capabilities = z.array(z.string().regex(/^[a-z][a-z0-9-]{0,31}$/)).max(32);
const versions = z.array(z.int().min(1).max(65_535)).min(1).max(16);

/** Agent roles; a node agent's tunnel ranks below a cluster agent's (`design.md` §3). */
export const AgentRole = z.enum(['cluster', 'node']);
export type AgentRole = z.infer<typeof AgentRole>;

/** Plane to agent, first frame of a session. `nonce`: 32 random octets, base64url; makes the proof fresh without a clock. */
export const Challenge = z.object({
  step: z.literal('challenge'),
  versions,
  nonce: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  limits,
});
export type Challenge = z.infer<typeof Challenge>;

/** Agent to plane. The signature is over {@link proofBytes} by the key that the credential names. */
export const Proof = z.object({
  step: z.literal('proof'),
  version: z.int(),
  /** One agent process, for as long as it lives. */
  instance: z.string().regex(/^[a-z0-9]{16,32}$/),
  /** Grows by one with each dial of the instance; the newest replaces the others. */
  epoch: z.int().min(1).max(Number.MAX_SAFE_INTEGER),
  role: AgentRole,
  /** Stream kinds served (`http`, `upgrade`, …) and optional features. */
  capabilities,
  limits,
  /** For people: versions of the agent and of the cluster. */
  agentVersion: z.string().max(64),
  kubernetesVersion: z.string().max(64),
  signature: z.string().regex(/^[A-Za-z0-9_-]{86}$/),
});
export type Proof = z.infer<typeof Proof>;

/** Plane to agent: from here on streams may be opened. */
export const Settled = z.object({
  step: z.literal('settled'),
  version: z.int(),
  /** True while another instance serves: nothing is wrong, streams come when it drains or falls silent. */
  standby: z.boolean(),
});
export type Settled = z.infer<typeof Settled>;

export const Hello = z.discriminatedUnion('step', [Challenge, Proof, Settled]);
export type Hello = z.infer<typeof Hello>;

/** What the agent signs: the nonce bound to what it claims, under a context string so that the signature serves nothing else. */
export function proofBytes(nonce: string, cluster: string, instance: string, epoch: number): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`outrider tunnel v1\n${nonce}\n${cluster}\n${instance}\n${epoch}`);
}
