import { z } from 'zod';
import { Program } from '../run/program.ts';
import type { Hop, Way, WorldContext } from './world.ts';

const ServerReady = z.object({ address: z.string() });
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

/** Starts a reverse proxy over remotedialer as Rancher has it: its server, its client beside the backend, and what lies between them. */
export async function startRemotedialer(context: WorldContext, upstream: Upstream, hop: Hop): Promise<Way> {
  const { certificates, cleanup, dir, programs } = context;
  const { ca, cert, key, tokenFile } = certificates;
  const start = async (role: 'server' | 'client', args: readonly string[]): Promise<Program> => {
    const argv = [programs.remotedialer, '--role', role, '--token-file', tokenFile, '--backend', upstream.url, ...args];
    const program = await Program.start(`remotedialer-${role}`, argv, dir);
    cleanup.defer(() => program.stop());
    return program;
  };
  const as = upstream.as;
  const server = await start('server', [
    ...['--listen', '127.0.0.1:0', '--cert', cert, '--key', key, '--backend-ca', upstream.ca],
    ...(as ? ['--upstream-token-file', as.tokenFile, '--impersonate-user', as.user] : []),
    ...(as?.groups ?? []).flatMap((group) => ['--impersonate-group', group]),
  ]);
  const { address } = await server.ready(ServerReady);
  const client = await start('client', ['--server', `wss://${await hop(address)}`, '--ca', ca]);
  await client.ready(ClientReady);
  return {
    target: { url: `https://${address}`, ca, tokenFile },
    processes: { server: () => server.pid, agent: () => client.pid },
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
