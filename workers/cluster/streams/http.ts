import { OutriderError } from '#schema/errors.ts';
import { codeName, ProtocolCode } from '#schema/protocol/codec/codes.ts';
import { StreamKind } from '#schema/protocol/codec/frame.ts';
import { decodeResponseHead, type ResponseHead } from '#schema/protocol/codec/head.ts';
import { MAX_VIEW_RATIO } from '#schema/protocol/limits.ts';
import type { Stream } from '#schema/protocol/flow/stream.ts';
import type { LiveRequest } from '../live.ts';
import type { Content } from '../request/content.ts';
import { ByteQueue } from './byte-queue.ts';
import type { Client, Departure } from './departures.ts';
import { dispatch, mayRedispatch, StreamReset, type Exchange, type Opening } from './dispatch.ts';
import { contentLength, hasNoContent, responseHeaders, type ResponseFields } from './response.ts';
import type { Pool } from '../tunnels/pool.ts';

const RESOLVED = Promise.resolve();

/** A request as the object sends it on: identity set, everything else scrubbed. */
export interface Outbound {
  method: string;
  head: Uint8Array;
  content: Content | null;
  client: Client;
  requestId: string;
  /** Tells when the access that let it in is taken back. */
  live: LiveRequest;
}

/** Sends a request through the tunnel and answers with the cluster's response, its content streaming. */
export async function serveHttp(pool: Pool, outbound: Outbound): Promise<Response> {
  try {
    return await exchangeOnce(pool, outbound);
  } catch (error) {
    if (outbound.content !== null || !mayRedispatch(error)) throw error;
    return await exchangeOnce(pool, outbound);
  }
}

function exchangeOnce(pool: Pool, outbound: Outbound): Promise<Response> {
  const exchange = new HttpExchange(outbound);
  const { head, content, client } = outbound;
  const stream = exchange.dispatched(pool, { kind: StreamKind.HTTP, head, fin: content === null, client });
  return stream instanceof Promise
    ? stream.then((opened) => answered(exchange, opened, content))
    : answered(exchange, stream, content);
}

function answered(exchange: HttpExchange, stream: Stream, content: Content | null): Promise<Response> {
  if (content !== null) void content.sentBy(async () => await exchange.pump(content, stream));
  return exchange.response;
}

/** One request and its response: the stream's handler on one side, a Response on the other. */
export class HttpExchange implements Exchange {
  stream: Stream | null = null;
  failure: OutriderError | null = null;
  readonly #outbound: Outbound;
  readonly #response = Promise.withResolvers<Response>();
  #head: ResponseHead | null = null;
  #responded = false;
  /** Content that the response's reader has not been given yet. */
  readonly #content = new ByteQueue();
  /** The response has no content (HEAD, 204, 304). */
  #empty = false;
  #ended = false;
  #writer: WritableStreamDefaultWriter<Uint8Array> | null = null;
  #writing = false;
  #writable: (() => void) | null = null;
  readonly #unwatch: () => void;
  #departure: Departure | null = null;

  constructor(outbound: Outbound) {
    this.#outbound = outbound;
    // The response may never be awaited: an upgrade that succeeds has none.
    this.#response.promise.catch(() => undefined);
    this.#unwatch = outbound.live.watch((refusal) => this.#refused(refusal));
    this.#departure = outbound.client.whenGone(() => this.#cancel());
  }

  /** Settles when the response's head is there; rejects with an OutriderError when the stream is reset before. */
  get response(): Promise<Response> {
    return this.#response.promise;
  }

  /** As {@link dispatch}. Where nothing could be dispatched there is nothing to watch. */
  dispatched(pool: Pool, opening: Opening): Stream | Promise<Stream> {
    try {
      const stream = dispatch(pool, this, opening);
      return stream instanceof Promise ? this.#awaited(stream) : stream;
    } catch (error) {
      this.#settle();
      throw error;
    }
  }

  async #awaited(stream: Promise<Stream>): Promise<Stream> {
    try {
      return await stream;
    } catch (error) {
      this.#settle();
      throw error;
    }
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
    // After this turn: a small response is in the same message whole, and needs no stream. (`queueMicrotask` of the platform costs more than a promise.)
    void RESOLVED.then(this.#answer);
  }

  readonly #answer = (): void => {
    try {
      this.#respond();
    } catch {
      this.malformed();
    }
  };

  onData(data: Uint8Array): void {
    if (this.#empty) {
      this.stream?.reset(ProtocolCode.PROTOCOL_ERROR, 'content of a response that has none');
      this.#settle();
      return;
    }
    this.#content.push(data);
    void this.#write();
  }

  onEnd(): void {
    this.#ended = true;
    if (this.#responded) this.#settleIfWritten();
    else this.#writable?.();
    void this.#write();
  }

  onReset(code: number, reason: string): void {
    // The response is whole: the agent only wants no more of the request.
    if (this.#ended) this.#settleIfWritten();
    // Once there was a head the request has been executed, whatever the code says.
    else if (this.#head === null) this.#fail(new StreamReset(code, reason));
    else this.#fail(new OutriderError('upstream_lost', `${reason} (${codeName(code)})`));
  }

  onWritable(): void {
    this.#writable?.();
  }

  onStalled(reason: string): void {
    this.#fail(new OutriderError('upstream_lost', reason));
  }

  /** Sends the request's content as fast as the tunnel takes it, for as long as it is wanted. */
  async pump(content: Content, stream: Stream): Promise<void> {
    try {
      while (!this.#unwanted(stream)) {
        const piece = await content.read();
        if (piece === null) {
          stream.end();
          return;
        }
        if (!stream.write(compact(piece))) await new Promise<void>((resolve) => (this.#writable = resolve));
      }
      stream.reset(ProtocolCode.CANCELLED, 'the response is complete');
    } catch {
      // The client went away in the middle of its request: what was sent of it must not count as whole.
      stream.reset(ProtocolCode.CANCELLED, 'the client went away');
      this.#fail(new OutriderError('bad_request', 'the request was not complete'));
    }
  }

  /** A refusal is complete, so the rest of what it refuses need not go through the tunnel; or the stream is gone. */
  #unwanted(stream: Stream): boolean {
    return stream.done || (this.#ended && this.#head !== null && this.#head.status >= 400);
  }

  /** What a header or a status holds is the cluster's word; the platform's classes are the last to judge it. */
  protected malformed(): void {
    this.stream?.reset(ProtocolCode.PROTOCOL_ERROR, 'not a response head');
    this.#fail(new OutriderError('upstream_protocol', 'the agent answered with something that is not HTTP'));
  }

  #respond(): void {
    const head = this.#head;
    if (head === null || this.#responded || this.failure !== null) return;
    this.#responded = true;
    const { requestId } = this.#outbound;
    const empty = this.#empty;
    const length = contentLength(head);
    if (this.#ended || empty) {
      const bytes = this.#content.take();
      this.stream?.consumed(bytes.byteLength);
      if (!empty && length !== null && length !== bytes.byteLength) throw new Error('not the declared length');
      this.#response.resolve(this.#make(head, empty ? null : bytes, responseHeaders(head, requestId, false)));
      if (this.#ended) this.#settle();
      return;
    }
    this.#departure?.atOnce();
    if (this.#isOver()) return;
    const { readable, writable } = length === null ? new IdentityTransformStream() : new FixedLengthStream(length);
    this.#writer = writable.getWriter();
    void this.#write();
    this.#response.resolve(this.#make(head, readable, responseHeaders(head, requestId, length === null)));
  }

  /** Asked again after something that may have ended it. */
  #isOver(): boolean {
    return this.failure !== null;
  }

  #make(head: ResponseHead, body: ReadableStream | Uint8Array | null, { fields, encoded }: ResponseFields): Response {
    // `manual`: the content is encoded already; it must not be encoded again.
    return new Response(body, { status: head.status, headers: fields, encodeBody: encoded ? 'manual' : 'automatic' });
  }

  /** One write at a time; what comes meanwhile goes out together. Content counts as consumed when the client has taken it: its pace is the cluster's. */
  async #write(): Promise<void> {
    if (this.#writing || this.#writer === null) return;
    this.#writing = true;
    try {
      while (this.#content.size > 0) {
        const data = this.#content.take();
        await this.#writer.write(data);
        this.stream?.consumed(data.byteLength);
      }
      if (this.#ended) {
        await this.#writer.close();
        this.#settle();
      }
    } catch {
      this.#cancel();
    }
    this.#writing = false;
  }

  #refused(refusal: OutriderError): void {
    this.stream?.reset(ProtocolCode.CANCELLED, 'access was taken back');
    this.#fail(refusal);
  }

  #cancel(): void {
    this.stream?.reset(ProtocolCode.CANCELLED, 'the client went away');
    this.#fail(new OutriderError('bad_request', 'the client went away'));
  }

  /** Before the head: the refusal is the response. After it: the content is broken off, never ended as if it were complete. */
  #fail(error: OutriderError): void {
    this.failure ??= error;
    this.#response.reject(error);
    if (this.#writer !== null) void this.#writer.abort(error).catch(() => undefined);
    this.#writer = null;
    this.#settle();
  }

  /** What is streamed still has to be written, and its client may go before it has taken all of it. */
  #settleIfWritten(): void {
    if (this.#writer === null) this.#settle();
    this.#writable?.();
  }

  #settle(): void {
    this.#unwatch();
    this.#departure?.end();
    this.#writable?.();
  }
}

/** Octets that wait must not keep much more memory than they are. */
function compact(data: Uint8Array): Uint8Array {
  return data.byteLength * MAX_VIEW_RATIO < data.buffer.byteLength ? data.slice() : data;
}
