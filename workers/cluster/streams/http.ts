import { OutriderError } from '#schema/errors.ts';
import { codeName, ProtocolCode } from '#schema/protocol/codes.ts';
import { StreamKind } from '#schema/protocol/frame.ts';
import { decodeResponseHead, type ResponseHead } from '#schema/protocol/head.ts';
import type { Stream } from '#schema/protocol/stream.ts';
import { dispatch, mayRedispatch, StreamReset, type Exchange } from './dispatch.ts';
import { join } from './join.ts';
import { contentLength, hasNoContent, responseHeaders } from './response.ts';
import type { Pool } from '../tunnels/pool.ts';

/** A request as the object sends it on: identity set, everything else scrubbed. */
export interface Outbound {
  method: string;
  head: Uint8Array;
  body: ReadableStream<Uint8Array> | null;
  /** Aborts when the client goes away. */
  signal: AbortSignal;
  requestId: string;
}

/** Sends a request through the tunnel and answers with the cluster's response, its content streaming. */
export async function serveHttp(pool: Pool, outbound: Outbound): Promise<Response> {
  try {
    return await exchangeOnce(pool, outbound);
  } catch (error) {
    if (outbound.body !== null || !mayRedispatch(error)) throw error;
    return await exchangeOnce(pool, outbound);
  }
}

async function exchangeOnce(pool: Pool, outbound: Outbound): Promise<Response> {
  const exchange = new HttpExchange(outbound);
  const { head, body, signal } = outbound;
  const stream = await dispatch(pool, exchange, { kind: StreamKind.HTTP, head, fin: body === null, signal });
  exchange.watchClient();
  if (body !== null) void exchange.pump(body, stream);
  return await exchange.response;
}

/** One request and its response: the stream's handler on one side, a Response on the other. */
export class HttpExchange implements Exchange {
  stream: Stream | null = null;
  readonly #outbound: Pick<Outbound, 'method' | 'requestId' | 'signal'>;
  readonly #response = Promise.withResolvers<Response>();
  #head: ResponseHead | null = null;
  /** Content that came before the response was made; null afterwards. */
  #early: Uint8Array[] | null = [];
  /** The response has no content (HEAD, 204, 304). */
  #empty = false;
  #ended = false;
  #writer: WritableStreamDefaultWriter<Uint8Array> | null = null;
  #writable: (() => void) | null = null;
  readonly #clientGone = (): void => this.#cancel();

  constructor(outbound: Pick<Outbound, 'method' | 'requestId' | 'signal'>) {
    this.#outbound = outbound;
    // The response may never be awaited: an upgrade that succeeds has none.
    this.#response.promise.catch(() => undefined);
  }

  /** Settles when the response's head is there; rejects with an OutriderError when the stream is reset before. */
  get response(): Promise<Response> {
    return this.#response.promise;
  }

  /** Carries the client's going away to the cluster. */
  watchClient(): void {
    if (this.#outbound.signal.aborted) this.#cancel();
    else this.#outbound.signal.addEventListener('abort', this.#clientGone);
  }

  /** The stream has another owner now. */
  protected detach(): void {
    this.#settle();
  }

  onHead(bytes: Uint8Array): void {
    try {
      this.#head = decodeResponseHead(bytes);
      if (this.#head.status < 200) throw new Error('a status that ends nothing');
    } catch {
      this.malformed();
      return;
    }
    this.#empty = hasNoContent(this.#outbound.method, this.#head.status);
    // After this turn: a small response is in the same message whole, and needs no stream.
    queueMicrotask(() => {
      try {
        this.#respond();
      } catch {
        this.malformed();
      }
    });
  }

  onData(data: Uint8Array): void {
    if (this.#empty) {
      this.stream?.reset(ProtocolCode.PROTOCOL_ERROR, 'content of a response that has none');
      this.#settle();
    } else if (this.#early !== null) this.#early.push(data);
    else void this.#write(data);
  }

  onEnd(): void {
    this.#ended = true;
    if (this.#writer !== null) void this.#writer.close().catch(() => undefined);
    if (this.#early === null) this.#settle();
  }

  onReset(code: number, reason: string): void {
    // The response is whole: the agent only wants no more of the request.
    if (this.#ended) this.#settle();
    // Once there was a head the request has been executed, whatever the code says.
    else if (this.#head === null) this.#fail(new StreamReset(code, reason));
    else this.#fail(new OutriderError('upstream_lost', `${reason} (${codeName(code)})`));
  }

  onWritable(): void {
    this.#writable?.();
  }

  /** Sends the request's content as fast as the tunnel takes it. */
  async pump(body: ReadableStream<Uint8Array>, stream: Stream): Promise<void> {
    const reader = body.getReader();
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (stream.done) break;
        if (done) {
          stream.end();
          return;
        }
        if (!stream.write(value)) await new Promise<void>((resolve) => (this.#writable = resolve));
      }
      await reader.cancel('the response is complete');
    } catch {
      // The client went away in the middle of its request: what was sent of it must not count as whole.
      stream.reset(ProtocolCode.CANCELLED, 'the client went away');
      this.#fail(new OutriderError('bad_request', 'the request was not complete'));
    }
  }

  /** What a header or a status holds is the cluster's word; the platform's classes are the last to judge it. */
  protected malformed(): void {
    this.stream?.reset(ProtocolCode.PROTOCOL_ERROR, 'not a response head');
    this.#fail(new OutriderError('upstream_protocol', 'the agent answered with something that is not HTTP'));
  }

  #respond(): void {
    const head = this.#head;
    const early = this.#early;
    if (head === null || early === null) return;
    this.#early = null;
    const { requestId } = this.#outbound;
    const empty = this.#empty;
    const length = contentLength(head);
    if (this.#ended || empty) {
      const bytes = join(early);
      this.stream?.consumed(bytes.byteLength);
      if (!empty && length !== null && length !== bytes.byteLength) throw new Error('not the declared length');
      this.#response.resolve(this.#make(head, empty ? null : bytes, responseHeaders(head, requestId, false)));
      if (this.#ended) this.#settle();
      return;
    }
    const { readable, writable } = length === null ? new IdentityTransformStream() : new FixedLengthStream(length);
    this.#writer = writable.getWriter();
    for (const data of early) void this.#write(data);
    this.#response.resolve(this.#make(head, readable, responseHeaders(head, requestId, length === null)));
  }

  #make(head: ResponseHead, body: ReadableStream | Uint8Array | null, headers: Headers): Response {
    // `manual`: the content is encoded already; it must not be encoded again.
    const encodeBody = headers.has('content-encoding') ? 'manual' : 'automatic';
    return new Response(body, { status: head.status, headers, encodeBody });
  }

  /** Content counts as consumed when the client has taken it: its pace is the cluster's. */
  async #write(data: Uint8Array): Promise<void> {
    try {
      await this.#writer?.write(data);
      this.stream?.consumed(data.byteLength);
    } catch {
      this.#cancel();
    }
  }

  #cancel(): void {
    this.stream?.reset(ProtocolCode.CANCELLED, 'the client went away');
    this.#fail(new OutriderError('bad_request', 'the client went away'));
  }

  /** Before the head: the refusal is the response. After it: the content is broken off, never ended as if it were complete. */
  #fail(error: OutriderError): void {
    this.#early = null;
    this.#response.reject(error);
    if (this.#writer !== null) void this.#writer.abort(error).catch(() => undefined);
    this.#writer = null;
    this.#settle();
  }

  #settle(): void {
    this.#outbound.signal.removeEventListener('abort', this.#clientGone);
    this.#writable?.();
  }
}
