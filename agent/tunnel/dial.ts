import type { ClientRequest } from 'node:http';
import { isIP, type Socket } from 'node:net';
import { type ClientOptions, WebSocket } from 'ws';
import { MAX_MESSAGE_BYTES } from '#schema/protocol/limits.ts';
import type { Egress } from './egress.ts';
import { type PlaneRefusal, readAnswer, refusalOf } from './plane.ts';

/** Where agents dial, on the plane's origin (`design.md` §5). */
const TUNNEL_PATH = '/connect/tunnel';

/** Name, proxy, TLS and the plane's answer together, ms. No one of them has a limit of its own that holds everywhere: a proxy may accept and say nothing. */
const DIAL_TIMEOUT_MS = 15_000;

/**
 * From an address to a TCP connection, ms: time for a packet and its first repetition, a second later (RFC 6298 §2). A network that drops packets says nothing, and the kernel
 * repeats ever more seldom: waiting on would find a plane that is back only many seconds after it is. Kernels accept connections, so a plane that is merely busy is not cut off.
 */
export const CONNECT_TIMEOUT_MS = 2_500;

/** The closing handshake's patience, ms: a plane that does not answer it is gone. */
const CLOSE_TIMEOUT_MS = 3_000;

/**
 * Masks keep what a web page sends from being taken for a request by a proxy that reads it (RFC 6455 §10.3). Nobody reads this: it is inside TLS. A mask of zeros spares a
 * copy of each message and a pass over it (decision 0010).
 */
const maskNothing = (mask: Buffer): void => void mask.fill(0);

/**
 * Opens the tunnel's WebSocket. Messages are held back until the first `message` listener resumes the socket, so that HELLO is not missed.
 * @throws PlaneRefusal when the plane answers anything but 101; redirects are not followed. Error when it cannot be reached or takes longer than `timeoutMs`.
 */
export function dial(
  server: URL,
  credential: string,
  egress: Egress,
  signal: AbortSignal,
  timeoutMs: number = DIAL_TIMEOUT_MS,
): Promise<WebSocket> {
  const url = new URL(TUNNEL_PATH, server);
  url.protocol = 'wss:';
  return new Promise((resolve, reject) => {
    const options: ClientOptions & { closeTimeout: number; finishRequest: (request: ClientRequest) => void } = {
      finishRequest: (request) => {
        request.once('socket', (connection) =>
          expectConnection(connection, url.hostname, () =>
            fail(Object.assign(new Error('the plane did not take the connection'), { code: 'ETIMEDOUT' })),
          ),
        );
        request.end();
      },
      headers: { authorization: `Bearer ${credential}` },
      ...(egress.agent === undefined ? {} : { agent: egress.agent }),
      ...(egress.ca === undefined ? {} : { ca: egress.ca }),
      minVersion: 'TLSv1.2',
      rejectUnauthorized: true,
      followRedirects: false,
      perMessageDeflate: false,
      generateMask: maskNothing,
      maxPayload: MAX_MESSAGE_BYTES,
      closeTimeout: CLOSE_TIMEOUT_MS,
    };
    const socket = new WebSocket(url, options);
    let refusal: PlaneRefusal | null = null;
    let settled = false;
    /** True for the first to come. */
    const settle = (): boolean => {
      if (settled) return false;
      settled = true;
      clearTimeout(late);
      signal.removeEventListener('abort', abort);
      return true;
    };
    const fail = (error: Error): void => {
      if (!settle()) return;
      // What the plane said counts for more than how saying it ended.
      reject(refusal ?? error);
      socket.terminate();
      egress.abandon();
    };
    const abort = (): void => fail(new Error('the dial was given up'));
    const late = setTimeout(() => fail(new Error('the plane did not answer in time')), timeoutMs);
    signal.addEventListener('abort', abort, { once: true });
    // Never removed: an error that nobody listens for ends the process.
    socket.on('error', fail);
    socket.once('unexpected-response', (_request, response) => {
      const status = response.statusCode ?? 0;
      refusal = refusalOf(status, '');
      readAnswer(response).then((body) => {
        refusal = refusalOf(status, body);
        fail(refusal);
      }, fail);
    });
    socket.once('open', () => {
      if (!settle()) return;
      socket.pause();
      resolve(socket);
    });
  });
}

/** Calls `late` when the socket is not connected in time. A name is looked up first, which has patience of its own; a proxy's connection comes here connected. */
function expectConnection(socket: Socket, hostname: string, late: () => void): void {
  if (!socket.connecting) return;
  let timer: NodeJS.Timeout | undefined;
  const start = (): void => {
    timer ??= setTimeout(late, CONNECT_TIMEOUT_MS);
  };
  if (isIP(hostname.replaceAll(/^\[|\]$/g, '')) === 0) socket.once('lookup', start);
  else start();
  const stop = (): void => clearTimeout(timer);
  socket.once('connect', stop).once('close', stop);
}
