import { encodeClose, decodeClose } from '#schema/protocol/codec/close.ts';
import type { ProtocolCode } from '#schema/protocol/codec/codes.ts';
import { Flag } from '#schema/protocol/codec/frame.ts';
import { decodeRequestHead, encodeResponseHead, type Field, type RequestHead } from '#schema/protocol/codec/head.ts';
import type { Stream, StreamHandler } from '#schema/protocol/flow/stream.ts';
import { Queue } from './queue.ts';

const encoder = new TextEncoder();

/** A message of a WebSocket as the cluster's end received it. */
export interface Message {
  text: boolean;
  data: Uint8Array;
}

/** The agent's end of one stream, for a test to play the API server on. */
export class ServedStream implements StreamHandler {
  readonly stream: Stream;
  readonly request: RequestHead;
  /** Octets of content that arrived. */
  received = 0;
  readonly chunks: Uint8Array[] = [];
  readonly messages = new Queue<Message>();
  readonly #ended = Promise.withResolvers<Uint8Array>();
  readonly #reset = Promise.withResolvers<{ code: number; reason: string }>();
  #consumes: boolean;
  #held = 0;
  #parts: Uint8Array[] = [];
  #writable: (() => void) | null = null;
  #arrived: (() => void) | null = null;

  constructor(stream: Stream, head: Uint8Array, consumes: boolean) {
    this.stream = stream;
    this.request = decodeRequestHead(head);
    this.#consumes = consumes;
    stream.handler = this;
  }

  onData(data: Uint8Array, flags: number): void {
    this.received += data.byteLength;
    this.chunks.push(data);
    this.#parts.push(data);
    if ((flags & Flag.MESSAGE_END) !== 0) {
      this.messages.push({ text: (flags & Flag.TEXT) !== 0, data: concat(this.#parts) });
      this.#parts = [];
    }
    if (this.#consumes) this.stream.consumed(data.byteLength);
    else this.#held += data.byteLength;
    this.#arrived?.();
  }

  onEnd(payload: Uint8Array): void {
    this.#ended.resolve(payload);
  }

  onReset(code: number, reason: string): void {
    this.#reset.resolve({ code, reason });
    this.#writable?.();
  }

  onWritable(): void {
    this.#writable?.();
  }

  /** A header field of the request; null: it has none. */
  field(name: string): string | null {
    return this.request.fields.find(([key]) => key === name)?.[1] ?? null;
  }

  /** The request's whole content, once it has ended. */
  async body(): Promise<Uint8Array> {
    await this.#ended.promise;
    return concat(this.chunks);
  }

  /** The plane's half has ended; for WebSockets, how. */
  async ended(): Promise<{ code: number; reason: string }> {
    return decodeClose(await this.#ended.promise);
  }

  /** The plane reset the stream, or it was lost with its session. */
  async wasReset(): Promise<{ code: number; reason: string }> {
    return await this.#reset.promise;
  }

  /** Waits until at least this much has come. */
  async until(octets: number): Promise<void> {
    while (this.received < octets) await new Promise<void>((resolve) => (this.#arrived = resolve));
  }

  /** Consumes what was held back, and everything from now on. */
  consume(): void {
    this.#consumes = true;
    const held = this.#held;
    this.#held = 0;
    this.stream.consumed(held);
  }

  head(status: number, fields: Field[] = [], fin = false): void {
    this.stream.head(encodeResponseHead({ status, fields }), fin);
  }

  /** A whole response. */
  respond(status: number, body: string | Uint8Array = '', fields: Field[] = []): void {
    const bytes = typeof body === 'string' ? encoder.encode(body) : body;
    this.head(status, fields, bytes.byteLength === 0);
    if (bytes.byteLength === 0) return;
    this.stream.write(bytes);
    this.stream.end();
  }

  write(data: string | Uint8Array): boolean {
    return this.stream.write(typeof data === 'string' ? encoder.encode(data) : data);
  }

  /** Writes, and waits while the plane takes no more. */
  async writeAll(data: Uint8Array): Promise<void> {
    if (!this.stream.write(data)) await new Promise<void>((resolve) => (this.#writable = resolve));
  }

  /** One message of a WebSocket. */
  send(message: string | Uint8Array): void {
    if (typeof message === 'string') this.stream.write(encoder.encode(message), Flag.MESSAGE_END | Flag.TEXT);
    else this.stream.write(message, Flag.MESSAGE_END);
  }

  close(code: number, reason = ''): void {
    this.stream.end(encodeClose({ code, reason }));
  }

  end(): void {
    this.stream.end();
  }

  /** Waits until everything is on its way: a reset drops what still waits. */
  async flushed(): Promise<void> {
    while (this.stream.queued > 0) await new Promise((resolve) => setTimeout(resolve));
  }

  reset(code: ProtocolCode, reason = 'the test says so'): void {
    this.stream.reset(code, reason);
  }
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole;
}
