import { once } from 'node:events';
import { createServer } from 'node:net';
import { listenFailure } from '../../lib/port.ts';
import { Problem } from '../../lib/problem.ts';

/**
 * When a connection that has been silent is asked whether its other end is still there, in seconds; how often, and how many times without an answer before it counts as broken.
 *
 * A client that ended its side is let go by its kernel after 60 s (`tcp_fin_timeout`, tcp(7)) and refuses every probe after that, so that it is missed after 80 s at most. Who is cut off from the
 * network is missed after 95 s: a laptop may be gone for a minute without losing its watch.
 */
const PROBES = { idle: 20, interval: 15, count: 5 } as const;

/** What Node keeps of a listening socket. Its documented functions set these options of connections alone (nodejs/node#63825). */
interface Handle {
  readonly fd: number;
  /** @returns 0, or the negative number of an error */
  setKeepAlive(on: boolean, idle: number, interval: number, count: number): number;
}

const isHandle = (value: unknown): value is Handle =>
  typeof value === 'object' && value !== null && 'fd' in value && 'setKeepAlive' in value;

/** A socket that listens, for a process to inherit. */
export interface Listener {
  readonly fd: number;
  /** Gives up this process's hold on it. */
  close(): void;
}

/**
 * Listens with keep-alive probes, which every connection that is accepted inherits (socket(7), SO_KEEPALIVE).
 *
 * workerd sets none, and as long as nothing has to be written to a client it keeps the request of one that has closed its connection: to it that looks as if only the client's side had ended
 * (RFC 9293 §3.6). A watch on which nothing happens would stay until the API server ends it.
 *
 * The socket must be handed on, and closed, in the turn of the event loop in which this resolves: later this process would accept what belongs to the other.
 *
 * @throws {Problem} when the port is taken or not to be had
 */
export async function openListener(host: string, port: number): Promise<Listener> {
  const server = createServer((connection) => connection.destroy());
  try {
    server.listen({ host, port, exclusive: true });
    await once(server, 'listening');
  } catch (error) {
    throw new Problem(listenFailure(error, host, port), { cause: error });
  }
  const handle: unknown = Reflect.get(server, '_handle');
  const failure = isHandle(handle) && handle.setKeepAlive(true, PROBES.idle, PROBES.interval, PROBES.count);
  if (!isHandle(handle) || failure !== 0) {
    server.close();
    throw new Problem(`this version of Node sets no keep-alive probes on a port (${String(failure)})`);
  }
  return { fd: handle.fd, close: () => void server.close() };
}
