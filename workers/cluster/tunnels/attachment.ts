import * as z from 'zod';
import { AgentPrincipal } from '#schema/access.ts';
import { AgentRole } from '#schema/protocol/codec/hello.ts';
import { Counted } from '../metrics/counters.ts';

const limits = z.object({ streamWindow: z.int(), sessionWindow: z.int(), maxStreams: z.int() });

/** Before HELLO is settled: who dials, and the nonce that they must sign. */
const Challenged = z.object({
  state: z.literal('challenged'),
  agent: AgentPrincipal,
  nonce: z.string(),
  acceptedAt: z.number(),
});
export type Challenged = z.infer<typeof Challenged>;

/** What HELLO settled; all that a wake needs to go on with the tunnel. */
const Settled = z.object({
  state: z.literal('settled'),
  agent: AgentPrincipal,
  instance: z.string(),
  epoch: z.int(),
  role: AgentRole,
  capabilities: z.array(z.string()),
  limits,
  agentVersion: z.string(),
  kubernetesVersion: z.string(),
  settledAt: z.number(),
  draining: z.boolean(),
});
export type Settled = z.infer<typeof Settled>;

/** As {@link Settled}; one tunnel of a cluster also keeps what was counted (decision 0008). */
const SettledKeeper = Settled.extend({ counted: Counted.optional().catch(undefined) });

/** What a hibernating tunnel socket remembers (at most 16 KiB). It was written by some earlier deploy: a value that does not parse means that the socket is closed. */
export const Attachment = z.discriminatedUnion('state', [Challenged, SettledKeeper]);
export type Attachment = z.infer<typeof Attachment>;
