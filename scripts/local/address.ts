import { once } from 'node:events';
import { createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { Problem, codeOf, reasonOf } from './problem.ts';

/** `address:port`, an IPv6 address in brackets. */
export const socketAddress = (host: string, port: number): string =>
  `${host.includes(':') ? `[${host}]` : host}:${port}`;

/**
 * The port asked for, or a free one, checked by listening on it.
 *
 * @throws {Problem} when it is taken or not to be had.
 */
export async function freePort(host: string, port: number): Promise<number> {
  const server = createServer();
  try {
    server.listen({ host, port, exclusive: true });
    await once(server, 'listening');
    const address = server.address();
    return typeof address === 'object' && address ? address.port : port;
  } catch (error) {
    throw new Problem(listenFailure(error, host, port), { cause: error });
  } finally {
    server.close();
  }
}

const LISTEN_FAILURES: Readonly<Record<string, (host: string, port: number) => string>> = {
  EADDRINUSE: (host, port) => `port ${port} on ${host} is in use: stop what uses it, or choose another with --port`,
  EACCES: (_, port) => `port ${port} needs more rights than this user has: choose one above 1023 with --port`,
  EADDRNOTAVAIL: (host) => `${host} is not an address of this machine: choose another with --host`,
  ENOTFOUND: (host) => `${host} is not a name that resolves: choose another with --host`,
};

const listenFailure = (error: unknown, host: string, port: number): string =>
  LISTEN_FAILURES[codeOf(error) ?? '']?.(host, port) ?? `cannot listen on ${host} port ${port}: ${reasonOf(error)}`;

const ANY_ADDRESS = new Set(['0.0.0.0', '::']);

/** Who listens on every address is dialled on one: the first that another machine can reach, if there is one. */
export function defaultUrl(host: string, port: number): string {
  const own = ANY_ADDRESS.has(host)
    ? (Object.values(networkInterfaces())
        .flatMap((entries) => entries ?? [])
        .find((entry) => !entry.internal && entry.family === 'IPv4')?.address ?? '127.0.0.1')
    : host;
  return `https://${socketAddress(own, port)}`;
}

/** Host of a URL, an IPv6 address without its brackets. */
export const hostOf = (url: string): string => new URL(url).hostname.replaceAll(/^\[|\]$/g, '');

/** An address to dial for one to listen on. */
export const dialable = (host: string): string => (host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host);
