import { once } from 'node:events';
import { createServer } from 'node:net';
import { Problem, codeOf, reasonOf } from './problem.ts';

/**
 * The port asked for, or for 0 a free one, checked by listening on it.
 *
 * @param shown the host as messages name it
 * @throws {Problem} when it is taken or not to be had.
 */
export async function freePort(host: string, port: number, shown: string = host): Promise<number> {
  const server = createServer();
  try {
    server.listen({ host, port, exclusive: true });
    await once(server, 'listening');
    const address = server.address();
    return typeof address === 'object' && address ? address.port : port;
  } catch (error) {
    throw new Problem(listenFailure(error, shown, port), { cause: error });
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

/** What `listen` failed with, as a person should hear it. */
export const listenFailure = (error: unknown, host: string, port: number): string =>
  LISTEN_FAILURES[codeOf(error) ?? '']?.(host, port) ?? `cannot listen on ${host} port ${port}: ${reasonOf(error)}`;
