import type { Dispatcher } from 'undici';
import { USER_AGENT } from '../version.ts';

/** A call of the agent's own is small and quick; past this the API server is not well, ms. */
const CALL_TIMEOUT_MS = 30_000;

/** Secrets are at most 1 MiB (Kubernetes `core/validation`, MaxSecretSize); base64 and metadata come on top. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

/** The part of a connection pool that a request needs. */
export type Dispatch = Pick<Dispatcher, 'dispatch'>;

export interface KubeRequest {
  method: 'GET' | 'POST' | 'PUT';
  path: string;
  token: string;
  /** Sent as JSON. */
  body?: unknown;
}

/** What the API server said. */
export interface KubeAnswer {
  status: number;
  /** The parsed JSON; null when it is none. */
  body: unknown;
}

/**
 * Makes one small request and collects its answer, whatever its status.
 * @throws Error when the API server cannot be reached, takes longer than `timeoutMs`, or answers with more than a Secret can be.
 */
export function request(
  pool: Dispatch,
  { method, path, token, body }: KubeRequest,
  timeoutMs: number = CALL_TIMEOUT_MS,
): Promise<KubeAnswer> {
  const headers = ['accept', 'application/json', 'authorization', `Bearer ${token}`, 'user-agent', USER_AGENT];
  if (body !== undefined) headers.push('content-type', 'application/json');
  return new Promise((resolve, reject) => {
    let controller: Dispatcher.DispatchController | null = null;
    let status = 0;
    let size = 0;
    const chunks: Uint8Array[] = [];
    const fail = (error: Error): void => {
      clearTimeout(late);
      reject(error);
      controller?.abort(error);
    };
    const late = setTimeout(() => fail(new Error('the API server did not answer in time')), timeoutMs);
    pool.dispatch(
      { method, path, headers, body: body === undefined ? null : JSON.stringify(body) },
      {
        onRequestStart(started) {
          controller = started;
        },
        // 1xx answers precede the answer: the last is it.
        onResponseStart(_controller, code) {
          status = code;
        },
        onResponseData(_controller, chunk) {
          size += chunk.byteLength;
          if (size > MAX_ANSWER_BYTES) {
            fail(new Error(`the API server answered with more than ${MAX_ANSWER_BYTES} bytes`));
          } else chunks.push(chunk);
        },
        onResponseEnd() {
          clearTimeout(late);
          resolve({ status, body: tryParse(Buffer.concat(chunks).toString('utf8')) });
        },
        onResponseError(_controller, error) {
          fail(error);
        },
      },
    );
  });
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
