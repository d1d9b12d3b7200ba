import { join } from 'node:path';
import { z } from 'zod';
import { Program } from '../run/program.ts';
import type { Hop, Way, WorldContext } from './world.ts';

const ServerReady = z.object({ address: z.string() });
const KonnectivityReady = z.object({ address: z.string(), agents: z.string() });
const ClientReady = z.object({ connected: z.literal(true) });

/** What stands behind a peer. */
export interface Upstream {
  /** https origin. */
  readonly url: string;
  /** Path of its CA. */
  readonly ca: string;
  /** For a real API server: the account that the peer calls it as, and whom it impersonates, as Rancher does. */
  readonly as?: { readonly tokenFile: string; readonly user: string; readonly groups: readonly string[] };
}

/** One of the two programs of a peer, with what both of its roles are told. */
async function startPeer(
  { certificates, cleanup, dir, programs }: WorldContext,
  peer: 'remotedialer' | 'konnectivity',
  upstream: Upstream,
  role: string,
  args: readonly string[],
): Promise<Program> {
  const common = ['--role', role, '--token-file', certificates.tokenFile, '--backend', upstream.url];
  const program = await Program.start(`${peer}-${role}`, [programs[peer], ...common, ...args], dir);
  cleanup.defer(() => program.stop());
  return program;
}

/** What a peer's front is told. */
function frontArgs({ cert, key }: WorldContext['certificates'], { ca, as }: Upstream): string[] {
  return [
    ...['--listen', '127.0.0.1:0', '--cert', cert, '--key', key, '--backend-ca', ca],
    ...(as ? ['--upstream-token-file', as.tokenFile, '--impersonate-user', as.user] : []),
    ...(as?.groups ?? []).flatMap((group) => ['--impersonate-group', group]),
  ];
}

/** Starts a reverse proxy over remotedialer as Rancher has it: its server, its client beside the backend, and what lies between them. */
export async function startRemotedialer(context: WorldContext, upstream: Upstream, hop: Hop): Promise<Way> {
  const { ca, tokenFile } = context.certificates;
  const server = await startPeer(
    context,
    'remotedialer',
    upstream,
    'server',
    frontArgs(context.certificates, upstream),
  );
  const { address } = await server.ready(ServerReady);
  const toServer = ['--server', `wss://${await hop(address)}`, '--ca', ca];
  const client = await startPeer(context, 'remotedialer', upstream, 'client', toServer);
  await client.ready(ClientReady);
  return {
    target: { url: `https://${address}`, ca, tokenFile },
    processes: { server: () => server.pid, agent: () => client.pid },
  };
}

/** Starts the same reverse proxy over konnectivity: its server with the front in one process, its agent beside the backend, and what lies between them. */
export async function startKonnectivity(context: WorldContext, upstream: Upstream, hop: Hop): Promise<Way> {
  const { ca, tokenFile } = context.certificates;
  const toTunnel = ['--socket', join(context.dir, 'konnectivity.sock')];
  const server = await startPeer(context, 'konnectivity', upstream, 'server', [
    ...frontArgs(context.certificates, upstream),
    ...toTunnel,
  ]);
  const { address, agents } = await server.ready(KonnectivityReady);
  const toServer = ['--server', await hop(agents), '--ca', ca];
  const agent = await startPeer(context, 'konnectivity', upstream, 'agent', toServer);
  await agent.ready(ClientReady);
  return {
    target: { url: `https://${address}`, ca, tokenFile },
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
