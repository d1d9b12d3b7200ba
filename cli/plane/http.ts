import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import type { Ask } from '#schema/api/client.ts';
import { Failure } from '../exits.ts';
import type { Io } from '../io.ts';
import { CLI_VERSION } from '../version.ts';
import { ProxyRefusal, unreachable } from './failures.ts';
import { proxyFor } from './proxy.ts';

/** Where requests go, and as whom. */
export interface Target {
  /** `https://host[:port]`. */
  readonly origin: string;
  /** PEM of the only CA to trust; undefined: the public ones that Node carries, with NODE_EXTRA_CA_CERTS. */
  readonly ca: string | undefined;
  /** Bearer token; undefined: nobody. */
  readonly token: string | undefined;
}

/** The plane hashes a password at sign-in, and may start from cold. */
const ANSWER_MS = 30_000;
/** A list of thousands of clusters is a few MiB. */
const MAX_ANSWER_BYTES = 32 * 1024 * 1024;

/**
 * How the typed client asks: through a proxy if need be, trusting what it is told to trust. Redirects are not followed: a token goes where it was made for, and nowhere else.
 *
 * @param timeoutMs how long each answer is waited for
 * @returns what throws {Failure} `unreachable` or `untrusted`; `interrupted` by Ctrl-C
 */
export function asking(
  io: Pick<Io, 'env' | 'signal'>,
  { origin, ca }: Pick<Target, 'origin' | 'ca'>,
  timeoutMs = ANSWER_MS,
): Ask {
  return async (url, outgoing) => {
    const agent = proxyFor(origin, io.env);
    const timeout = AbortSignal.timeout(timeoutMs);
    try {
      return await exchange(url, outgoing, { ca, agent, signal: AbortSignal.any([io.signal, timeout]) });
    } catch (error) {
      if (io.signal.aborted) throw new Failure('interrupted', 'interrupted', { cause: error });
      if (timeout.aborted) {
        throw new Failure('unreachable', `${origin} did not answer within ${timeoutMs / 1000} s`, { cause: error });
      }
      throw unreachable(origin, error, { hasCa: ca !== undefined, proxy: agent?.proxy.host });
    }
  };
}

async function exchange(
  url: string,
  { method, headers, body }: Parameters<Ask>[1],
  { ca, agent, signal }: { ca: string | undefined; agent: ReturnType<typeof proxyFor>; signal: AbortSignal },
): ReturnType<Ask> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = request(new URL(url), {
      method,
      ...(ca === undefined ? {} : { ca }),
      // A connection of its own: a command asks a few times, and must end when it is done.
      agent: agent ?? false,
      signal,
      headers: {
        'user-agent': `outrider-cli/${CLI_VERSION}`,
        accept: 'application/json, application/yaml;q=0.9',
        ...headers,
        ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
      },
    });
    // The agent would give the proxy's refusal for the plane's answer.
    outgoing.on('proxyConnect', ({ statusCode }: { statusCode: number }) => {
      if (statusCode !== 200) outgoing.destroy(new ProxyRefusal(statusCode));
    });
    outgoing.on('response', resolve);
    outgoing.on('error', reject);
    outgoing.end(body);
  });
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) throw new Error(`the answer is larger than ${MAX_ANSWER_BYTES} bytes`);
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString('utf8');
  return { status: response.statusCode ?? 0, text: () => Promise.resolve(text) };
}
