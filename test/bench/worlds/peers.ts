import { z } from 'zod';
import type { Path } from '../paths.ts';
import { Program } from '../run/program.ts';
import type { Hop, Way, WorldContext } from './world.ts';

const ServerReady = z.object({ address: z.string(), agents: z.string().optional() });
const AgentReady = z.object({ connected: z.literal(true) });

/** What stands behind the peers. */
export interface Upstream {
  /** https origin. */
  readonly url: string;
  /** Path of its CA. */
  readonly ca: string;
  /** For a real API server: the account that the peer calls it as, and whom it impersonates, as Rancher does. */
  readonly as?: { readonly tokenFile: string; readonly user: string; readonly groups: readonly string[] };
}

type Peer = Extract<Path, 'remotedialer' | 'konnectivity'>;

/** How a peer's agent is told where its server is. */
const AGENTS: Readonly<Record<Peer, { role: string; server: (address: string) => string; needsBackend: boolean }>> = {
  remotedialer: { role: 'client', server: (address) => `wss://${address}`, needsBackend: true },
  konnectivity: { role: 'agent', server: (address) => address, needsBackend: false },
};

/** Starts a reverse proxy over a peer's tunnel: its server, its agent, and what lies between them. */
export async function startPeer(peer: Peer, context: WorldContext, upstream: Upstream, hop: Hop): Promise<Way> {
  const { certificates, cleanup, dir, programs } = context;
  const start = async (name: string, args: readonly string[]): Promise<Program> => {
    const program = await Program.start(name, [programs[peer], ...args], dir);
    cleanup.defer(() => program.stop());
    return program;
  };
  const as = upstream.as;
  const server = await start(`${peer}-server`, [
    ...['--role', 'server', '--listen', '127.0.0.1:0'],
    ...['--cert', certificates.cert, '--key', certificates.key, '--token-file', certificates.tokenFile],
    ...['--backend', upstream.url, '--backend-ca', upstream.ca],
    ...(as ? ['--upstream-token-file', as.tokenFile, '--impersonate-user', as.user] : []),
    ...(as?.groups ?? []).flatMap((group) => ['--impersonate-group', group]),
  ]);
  const { address, agents = address } = await server.ready(ServerReady);
  const { role, server: form, needsBackend } = AGENTS[peer];
  const agent = await start(`${peer}-${role}`, [
    ...['--role', role, '--server', form(await hop(agents))],
    ...['--ca', certificates.ca, '--token-file', certificates.tokenFile],
    ...(needsBackend ? ['--backend', upstream.url] : []),
  ]);
  await agent.ready(AgentReady);
  return {
    target: { url: `https://${address}`, ca: certificates.ca, tokenFile: certificates.tokenFile },
    processes: { server: () => server.pid, agent: () => agent.pid },
  };
}

const DelayReady = z.object({ address: z.string() });

/** A relay that delivers every octet later; without a round trip to add, nothing in between. */
export function hopOf({ cleanup, dir, programs }: WorldContext, rttMs: number): Hop {
  let count = 0;
  return async (address) => {
    if (rttMs === 0) return address;
    const args = ['--listen', '127.0.0.1:0', '--to', address, '--rtt', `${rttMs}ms`];
    const delay = await Program.start(`delay-${++count}`, [programs.delay, ...args], dir);
    cleanup.defer(() => delay.stop());
    return (await delay.ready(DelayReady)).address;
  };
}
