import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { Failure } from '../exits.ts';
import type { Io } from '../io.ts';
import { CLI_VERSION } from '../version.ts';
import { unreachable } from './failures.ts';
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

export interface Outgoing {
  readonly method: string;
  /** Absolute path and query. */
  readonly path: string;
  readonly body?: { readonly type: string; readonly text: string };
  /** How long an answer is waited for, ms. */
  readonly timeoutMs?: number;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** The plane hashes a password at sign-in, and may start from cold. */
const ANSWER_MS = 30_000;
/** A list of thousands of clusters is a few MiB. */
const MAX_ANSWER_BYTES = 32 * 1024 * 1024;

/**
 * Asks once. Redirects are not followed: a token goes where it was made for, and nowhere else.
 *
 * @throws {Failure} `unreachable` or `untrusted`; `interrupted` by Ctrl-C.
 */
export async function send(io: Pick<Io, 'env' | 'signal'>, target: Target, outgoing: Outgoing): Promise<Answer> {
  const agent = proxyFor(target.origin, io.env);
  const timeoutMs = outgoing.timeoutMs ?? ANSWER_MS;
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    return await exchange(target, outgoing, { agent, signal: AbortSignal.any([io.signal, timeout]) });
  } catch (error) {
    if (io.signal.aborted) throw new Failure('interrupted', 'interrupted', { cause: error });
    if (timeout.aborted) {
      throw new Failure('unreachable', `${target.origin} did not answer within ${timeoutMs / 1000} s`, {
        cause: error,
      });
    }
    throw unreachable(target.origin, error, target.ca !== undefined);
  }
}

async function exchange(
  { origin, ca, token }: Target,
  { method, path, body }: Outgoing,
  { agent, signal }: { agent: ReturnType<typeof proxyFor>; signal: AbortSignal },
): Promise<Answer> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = request(new URL(path, origin), {
      method,
      ...(ca === undefined ? {} : { ca }),
      // A connection of its own: a command asks a few times, and must end when it is done.
      agent: agent ?? false,
      signal,
      headers: {
        'user-agent': `outrider-cli/${CLI_VERSION}`,
        accept: 'application/json, application/yaml;q=0.9',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined
          ? {}
          : { 'content-type': body.type, 'content-length': String(Buffer.byteLength(body.text)) }),
      },
    });
    outgoing.on('response', resolve);
    outgoing.on('error', reject);
    outgoing.end(body?.text);
  });
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) throw new Error(`the answer is larger than ${MAX_ANSWER_BYTES} bytes`);
    chunks.push(chunk);
  }
  return { status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') };
}
