import { createHash, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Failure, oneLine } from '../exits.ts';

/** What came back from the browser. */
type Outcome = { code: string } | { failure: Failure };

/** Listens on the loopback address for the one redirect that ends a sign-in (RFC 8252 §7.3). */
export interface Loopback {
  readonly redirectUri: string;
  /** The authorization code. @throws {Failure} where the plane refused, or the time is over */
  code(signal: AbortSignal): Promise<string>;
  close(): void;
}

const MAX_CODE = 2048;

const HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'",
  connection: 'close',
} as const;

const page = (title: string, text: string): string =>
  `<!doctype html><html lang="en"><meta name="viewport" content="width=device-width"><title>${title} – Outrider</title><main><h1>${title}</h1><p>${text}</p></main></html>\n`;
const SIGNED_IN = page(
  'Almost signed in',
  'The terminal has what it needs and says the rest. You can close this window.',
);
const REFUSED = page('Not signed in', 'The terminal says why. You can close this window.');
const NOTHING = page('Nothing here', 'This address only ends a sign-in that was begun in a terminal.');

/**
 * @param state what the plane must send back: whoever does not know it cannot end the sign-in, nor spoil it (RFC 9700 §4.7)
 * @param issuer what `iss` must be, where it is sent (RFC 9207)
 */
export async function listenForCode(state: string, issuer: string): Promise<Loopback> {
  const { promise, settle } = settleable();
  const server = createServer({ maxHeaderSize: 16 * 1024, requestTimeout: 10_000 }, (incoming, response) => {
    const outcome = judge(incoming, { state, issuer, host });
    if (outcome === null) return answer(response, 404, NOTHING);
    answer(response, 'code' in outcome ? 200 : 400, 'code' in outcome ? SIGNED_IN : REFUSED);
    settle(outcome);
  });
  server.listen({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  const address = server.address();
  const host = `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  return {
    redirectUri: `http://${host}/callback`,
    async code(signal) {
      const ended = (): void => settle({ failure: new Failure('timed-out', 'nobody signed in within the time') });
      signal.addEventListener('abort', ended, { once: true });
      if (signal.aborted) ended();
      const outcome = await promise;
      signal.removeEventListener('abort', ended);
      if ('failure' in outcome) throw outcome.failure;
      return outcome.code;
    },
    close() {
      server.close();
      server.closeIdleConnections();
    },
  };
}

function settleable(): { promise: Promise<Outcome>; settle: (outcome: Outcome) => void } {
  let settle: (outcome: Outcome) => void = () => {};
  const promise = new Promise<Outcome>((resolve) => {
    settle = resolve;
  });
  return { promise, settle };
}

/** Null for whatever is not our redirect: another page of the browser, another program, a forged state. */
function judge(incoming: IncomingMessage, expected: { state: string; issuer: string; host: string }): Outcome | null {
  // A name that was rebound to this address is not how we were called.
  if (incoming.method !== 'GET' || incoming.headers.host !== expected.host) return null;
  const path = incoming.url ?? '';
  if (!path.startsWith('/callback?')) return null;
  const query = new URLSearchParams(path.slice('/callback?'.length));
  if (!equal(query.get('state') ?? '', expected.state)) return null;
  const issuer = query.get('iss');
  if (issuer !== null && issuer !== expected.issuer) {
    const named = oneLine(issuer.slice(0, 500));
    return {
      failure: new Failure(
        'error',
        `the browser brought an answer of another server, ${named}: if that is the plane, sign in with --server ${named}`,
      ),
    };
  }
  const error = query.get('error');
  if (error !== null) {
    const said = oneLine((query.get('error_description') ?? error).slice(0, 500));
    return { failure: new Failure(error === 'access_denied' ? 'not-permitted' : 'error', `sign-in failed: ${said}`) };
  }
  const code = query.get('code') ?? '';
  if (code === '' || code.length > MAX_CODE) {
    return { failure: new Failure('error', 'the browser brought an answer without a code') };
  }
  return { code };
}

function answer(response: ServerResponse, status: number, html: string): void {
  response.writeHead(status, HEADERS).end(html);
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
const equal = (one: string, other: string): boolean => timingSafeEqual(digest(one), digest(other));
