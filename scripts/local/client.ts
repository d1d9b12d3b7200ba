import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import { checkServerIdentity } from 'node:tls';
import type { z } from 'zod';
import { hostOf } from './address.ts';
import { Problem, reasonOf } from '../lib/problem.ts';
import type { Plane } from './plane.ts';

/** The first answer of a Worker that has just started includes the hash of a password. */
const ANSWER_MS = 30_000;
/** How much of an error's body is worth a place in a line. */
const QUOTED_CHARACTERS = 200;

/** A call of the plane's own API. */
export interface Call<T> {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly path: string;
  readonly token: string;
  readonly body?: unknown;
  readonly answer: z.ZodType<T>;
}

/**
 * Calls the API of a plane on this machine. The address that it listens on is dialled, whatever its URL: a name may resolve elsewhere, or
 * nowhere yet. The certificate must be the very one that the supervisor serves, for the host of the URL.
 *
 * @throws {Problem} for any answer but 2xx with the body expected.
 */
export async function call<T>(plane: Plane, { method, path, token, body, answer }: Call<T>): Promise<T> {
  const answered = await ask(plane, { method, path, token }, body === undefined ? undefined : JSON.stringify(body));
  try {
    return answer.parse(JSON.parse(answered));
  } catch (error) {
    // The body stays out of the message: it may hold a credential.
    throw new Problem(`the plane answered ${method} ${path} with a body of another shape`, { cause: error });
  }
}

/**
 * Fetches a text: a manifest, a kubeconfig. As {@link call}, and just as strict.
 *
 * @throws {Problem} for any answer but 2xx.
 */
export const fetchText = async (plane: Plane, { path, token }: { path: string; token?: string }): Promise<string> =>
  await ask(plane, { method: 'GET', path, token }, undefined);

interface Head {
  method: string;
  path: string;
  token: string | undefined;
}

async function ask(plane: Plane, head: Head, body: string | undefined): Promise<string> {
  const what = `${head.method} ${loggable(head.path)}`;
  let outcome: { status: number; body: string };
  try {
    outcome = await send(plane, head, body);
  } catch (error) {
    throw new Problem(`the plane did not answer ${what}: ${reasonOf(error)}`, { cause: error });
  }
  if (outcome.status < 200 || outcome.status > 299) {
    const quoted = outcome.body.slice(0, QUOTED_CHARACTERS).replaceAll(/\s+/g, ' ');
    throw new Problem(`the plane answered ${what} with ${outcome.status}: ${quoted}`);
  }
  return outcome.body;
}

/** A manifest's path is a registration token. */
const loggable = (path: string): string => path.replace(/^\/import\/.*/, '/import/…');

async function send(plane: Plane, head: Head, body: string | undefined): Promise<{ status: number; body: string }> {
  const url = new URL(head.path, plane.url);
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>();
  const outgoing = request(
    {
      host: plane.host,
      port: plane.port,
      method: head.method,
      path: url.pathname,
      headers: {
        host: url.host,
        ...(head.token !== undefined && { authorization: `Bearer ${head.token}` }),
        ...(body !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
      },
      agent: false,
      timeout: ANSWER_MS,
      ca: plane.chainPem,
      allowPartialTrustChain: true,
      checkServerIdentity: (_, certificate) => checkServerIdentity(hostOf(plane.url), certificate),
    },
    (response) => {
      text(response).then((read) => resolve({ status: response.statusCode ?? 0, body: read }), reject);
    },
  );
  outgoing.on('error', reject);
  outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer within ${ANSWER_MS / 1000} s`)));
  outgoing.end(body);
  return promise;
}
