import { cutReason, decodeClose, encodeClose, isSendableCloseCode } from '#schema/protocol/codec/close.ts';
import { codeName, ProtocolCode } from '#schema/protocol/codec/codes.ts';
import { Flag, StreamKind } from '#schema/protocol/codec/frame.ts';
import { decodeResponseHead } from '#schema/protocol/codec/head.ts';
import type { Stream, StreamHandler } from '#schema/protocol/flow/stream.ts';
import type { LiveRequest } from '../live.ts';
import { ByteQueue } from './byte-queue.ts';
import { mayRedispatch } from './dispatch.ts';
import { MAX_CLIENT_MESSAGE_BYTES } from '../limits.ts';
import { HttpExchange, type Outbound } from './http.ts';
import type { Pool } from '../tunnels/pool.ts';
import { Upload, type SpillStore } from './upload.ts';

/** RFC 6455 §7.4.1: the server met something that it did not expect. */
const CLOSE_INTERNAL = 1011;
/** … or a message that is against its policy: access was taken back. */
const CLOSE_POLICY = 1008;

/** A WebSocket handshake as the object sends it on. */
export interface UpgradeOutbound extends Outbound {
  /** The subprotocols that the client offers. */
  protocols: readonly string[];
}

/** Opens a WebSocket of the cluster for a client's WebSocket; any answer but 101 becomes an ordinary response. */
export async function serveUpgrade(pool: Pool, outbound: UpgradeOutbound, store: SpillStore): Promise<Response> {
  try {
    return await upgradeOnce(pool, outbound, store);
  } catch (error) {
    if (!mayRedispatch(error)) throw error;
    return await upgradeOnce(pool, outbound, store);
  }
}

async function upgradeOnce(pool: Pool, outbound: UpgradeOutbound, store: SpillStore): Promise<Response> {
  const exchange = new UpgradeExchange(outbound, store);
  const { head, client } = outbound;
  await exchange.dispatched(pool, { kind: StreamKind.UPGRADE, head, fin: false, client });
  return await exchange.response;
}

/** Until the head: an exchange like any other. After 101 a bridge takes the stream over. */
class UpgradeExchange extends HttpExchange {
  readonly #outbound: UpgradeOutbound;
  readonly #store: SpillStore;
  readonly #upgraded = Promise.withResolvers<Response>();

  constructor(outbound: UpgradeOutbound, store: SpillStore) {
    super(outbound);
    this.#outbound = outbound;
    this.#store = store;
    this.#upgraded.promise.catch(() => undefined);
  }

  override get response(): Promise<Response> {
    return Promise.race([this.#upgraded.promise, super.response]);
  }

  override onHead(bytes: Uint8Array): void {
    const { stream } = this;
    if (stream === null || !startsWith101(bytes)) {
      stream?.end();
      super.onHead(bytes);
      return;
    }
    const { fields } = decodeResponseHead(bytes);
    const protocol = fields.find(([name]) => name === 'sec-websocket-protocol')?.[1];
    // RFC 6455 §4.1: a client fails a handshake that confirms what it did not offer.
    if (protocol !== undefined && !this.#outbound.protocols.includes(protocol)) {
      this.malformed();
      return;
    }
    const headers = new Headers({ 'x-request-id': this.#outbound.requestId });
    if (protocol !== undefined) headers.set('sec-websocket-protocol', protocol);
    const { 0: client, 1: server } = new WebSocketPair();
    stream.handler = new Bridge(stream, server, this.#store, this.#outbound.live);
    this.detach();
    this.#upgraded.resolve(new Response(null, { status: 101, webSocket: client, headers }));
  }
}

function startsWith101(head: Uint8Array): boolean {
  return head[0] === 0x31 && head[1] === 0x30 && head[2] === 0x31;
}

/** A client's WebSocket and a stream of the tunnel, joined: messages keep their boundaries, closes their codes. */
class Bridge implements StreamHandler {
  readonly #stream: Stream;
  readonly #client: WebSocket;
  readonly #upload: Upload;
  readonly #encoder = new TextEncoder();
  readonly #decoder = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true });
  /** The message that is being put together. */
  readonly #message = new ByteQueue();
  readonly #unwatch: () => void;
  #closed = false;

  constructor(stream: Stream, client: WebSocket, store: SpillStore, live: LiveRequest) {
    this.#stream = stream;
    this.#client = client;
    this.#upload = new Upload(stream, store);
    // Not hibernating: while an exec or a port-forward is open its state lives in memory, and the object must too (`design.md` §3).
    client.accept();
    client.binaryType = 'arraybuffer';
    client.addEventListener('message', (event) => this.#fromClient(event.data));
    client.addEventListener('close', (event) => this.#clientClosed(event.code, event.reason));
    client.addEventListener('error', () => this.#clientLost());
    this.#unwatch = live.watch((refusal) => this.#break(ProtocolCode.CANCELLED, refusal.message, CLOSE_POLICY));
  }

  onData(data: Uint8Array, flags: number): void {
    this.#message.push(data);
    if (this.#message.size > MAX_CLIENT_MESSAGE_BYTES) {
      this.#break(ProtocolCode.LIMIT, 'a message from the cluster is too large');
      return;
    }
    // Consumed though the client may not have taken it: nothing tells (workerd#988). Decision 0003 says what that means for slow readers.
    this.#stream.consumed(data.byteLength);
    if ((flags & Flag.MESSAGE_END) === 0) return;
    const message = this.#message.take();
    this.#toClient((flags & Flag.TEXT) === 0 ? message : this.#decoder.decode(message));
  }

  onEnd(payload: Uint8Array): void {
    const { code, reason } = decodeClose(payload);
    this.#closeClient(code, reason);
    this.#upload.discard();
    // What still waits for credit would keep the stream, for nobody who reads it.
    if (this.#stream.queued > 0) this.#stream.reset(ProtocolCode.CANCELLED, 'the WebSocket is closed');
    else this.#stream.end();
  }

  onReset(code: number, reason: string): void {
    this.#upload.discard();
    this.#closeClient(CLOSE_INTERNAL, `${reason} (${codeName(code)})`);
  }

  onWritable(): void {
    this.#upload.drain();
  }

  #fromClient(message: unknown): void {
    const text = typeof message === 'string';
    if (!text && !(message instanceof ArrayBuffer)) return;
    const data = text ? this.#encoder.encode(message) : new Uint8Array(message);
    const flags = Flag.MESSAGE_END | (text ? Flag.TEXT : 0);
    if (this.#upload.write(data, flags)) return;
    this.#break(ProtocolCode.LIMIT, 'more was sent than the cluster takes, and there is no room for the rest');
  }

  #toClient(message: string | Uint8Array): void {
    try {
      this.#client.send(message);
    } catch {
      this.#clientLost();
    }
  }

  #clientClosed(code: number, reason: string): void {
    if (this.#closed) return;
    if (code === 1006) {
      this.#clientLost();
      return;
    }
    this.#over();
    this.#upload.end(encodeClose({ code, reason }));
  }

  /** An error that follows a close says nothing: what the client sent before it closed is still on its way. */
  #clientLost(): void {
    if (this.#closed) return;
    this.#over();
    this.#upload.discard();
    this.#stream.reset(ProtocolCode.CANCELLED, 'the client went away');
  }

  #break(code: ProtocolCode, reason: string, close = CLOSE_INTERNAL): void {
    this.#upload.discard();
    this.#stream.reset(code, reason);
    this.#closeClient(close, reason);
  }

  /** The client's socket is closed, or being closed. */
  #over(): void {
    this.#closed = true;
    this.#unwatch();
  }

  #closeClient(code: number, reason: string): void {
    if (this.#closed) return;
    this.#over();
    try {
      if (isSendableCloseCode(code)) this.#client.close(code, cutReason(reason));
      else this.#client.close();
    } catch {
      // It is closed already, which is what was wanted.
      return;
    }
  }
}
