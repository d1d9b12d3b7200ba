import { Agent, type Dispatcher } from 'undici';
import type { Kind, Sent, Told } from './journal.ts';

/** No answer for so long is a hang, ms: what the plane promises. */
export const HANG_MS = 60_000;

/** One way to the API server: through the plane with a token, or straight with a certificate. */
export interface Way {
  /** Before `/api`. */
  readonly base: string;
  readonly ca: string;
  readonly token?: string;
  readonly certificate?: { readonly cert: string; readonly key: string };
}

/** A client that sends each request once, and keeps a journal of what it was told. Nothing is retried below it: undici repeats nothing that was written. */
export class Client {
  readonly journal: Sent[] = [];
  readonly #way: Way;
  readonly #dispatcher: Agent;

  constructor(way: Way) {
    this.#way = way;
    const { ca, certificate } = way;
    // The one patience is HANG_MS: shorter ones would hide what the plane does.
    this.#dispatcher = new Agent({
      connect: { ca, ...certificate, timeout: HANG_MS },
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  }

  /** Sends a request of the workload. */
  async send(kind: Kind, id: string, method: Dispatcher.HttpMethod, path: string, body?: Body): Promise<Told> {
    const began = performance.now();
    const told = await this.ask(method, marked(path, id), body);
    this.journal.push({ id, kind, told, tookMs: performance.now() - began });
    return told;
  }

  /** Sends a request that is not part of it. */
  async ask(method: Dispatcher.HttpMethod, path: string, body?: Body, patienceMs = HANG_MS): Promise<Told> {
    const signal = AbortSignal.timeout(Math.ceil(patienceMs));
    let status = 0;
    try {
      const response = await this.open(method, path, signal, body);
      status = response.statusCode;
      const text = await response.body.text();
      return { how: 'answered', status, retryAfter: response.headers['retry-after'] !== undefined, text };
    } catch (error) {
      if (signal.aborted) return { how: 'hung' };
      return status > 0
        ? { how: 'cut', status }
        : { how: 'broken', error: error instanceof Error ? error.message : '' };
    }
  }

  /** Begins a request; its content is the caller's. */
  open(
    method: Dispatcher.HttpMethod,
    path: string,
    signal: AbortSignal,
    body?: Body,
  ): Promise<Dispatcher.ResponseData> {
    const { base, token } = this.#way;
    const url = new URL(base);
    return this.#dispatcher.request({
      origin: url.origin,
      path: `${url.pathname === '/' ? '' : url.pathname}${path}`,
      method,
      signal,
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'content-type': body.type }),
      },
      ...(body !== undefined && { body: JSON.stringify(body.value) }),
    });
  }

  /** The answer, which has to be 2xx, parsed. */
  async must<T>(method: Dispatcher.HttpMethod, path: string, body?: Body): Promise<T> {
    const told = await this.ask(method, path, body);
    if (told.how !== 'answered' || told.status < 200 || told.status > 299) {
      throw new Error(`${method} ${path}: ${JSON.stringify(told).slice(0, 500)}`);
    }
    return JSON.parse(told.text) as T;
  }

  async end(): Promise<void> {
    await this.#dispatcher.destroy();
  }
}

export interface Body {
  readonly type: 'application/json' | 'application/json-patch+json' | 'application/merge-patch+json';
  readonly value: unknown;
}

/** A path with the request's id in its query: the API server ignores it, and logs it. */
export function marked(path: string, mark: string): string {
  return `${path}${path.includes('?') ? '&' : '?'}mark=${mark}`;
}
