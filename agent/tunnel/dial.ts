import { type ClientOptions, WebSocket } from 'ws';
import { HELLO_TIMEOUT_MS, MAX_MESSAGE_BYTES } from '#schema/protocol/limits.ts';
import type { Egress } from './egress.ts';
import { readAnswer, refusalOf } from './plane.ts';

/** Where agents dial, on the plane's origin (`design.md` §5). */
const TUNNEL_PATH = '/connect/tunnel';

/** The closing handshake's patience, ms: a plane that does not answer it is gone. */
const CLOSE_TIMEOUT_MS = 3_000;

/**
 * Opens the tunnel's WebSocket. Messages are held back until the first `message` listener resumes the socket, so that HELLO is not missed.
 * @throws PlaneRefusal when the plane answers anything but 101; redirects are not followed. Error when it cannot be reached.
 */
export function dial(server: URL, credential: string, egress: Egress, signal: AbortSignal): Promise<WebSocket> {
  const url = new URL(TUNNEL_PATH, server);
  url.protocol = 'wss:';
  return new Promise((resolve, reject) => {
    const options: ClientOptions & { closeTimeout: number } = {
      headers: { authorization: `Bearer ${credential}` },
      ...(egress.agent === undefined ? {} : { agent: egress.agent }),
      ...(egress.ca === undefined ? {} : { ca: egress.ca }),
      minVersion: 'TLSv1.2',
      rejectUnauthorized: true,
      followRedirects: false,
      perMessageDeflate: false,
      handshakeTimeout: HELLO_TIMEOUT_MS,
      maxPayload: MAX_MESSAGE_BYTES,
      closeTimeout: CLOSE_TIMEOUT_MS,
    };
    const socket = new WebSocket(url, options);
    const abort = (): void => socket.terminate();
    signal.addEventListener('abort', abort, { once: true });
    const fail = (error: Error): void => {
      signal.removeEventListener('abort', abort);
      reject(error);
      socket.on('error', () => undefined);
      socket.terminate();
    };
    socket.once('error', fail);
    socket.once('unexpected-response', (_request, response) => {
      socket.off('error', fail);
      readAnswer(response).then(
        (body) => fail(refusalOf(response.statusCode ?? 0, body)),
        () => fail(refusalOf(response.statusCode ?? 0, '')),
      );
    });
    socket.once('open', () => {
      socket.off('error', fail);
      signal.removeEventListener('abort', abort);
      socket.pause();
      resolve(socket);
    });
  });
}
