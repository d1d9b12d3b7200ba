/**
 * What workerd gives to the plane's code, as far as a cluster's object and its streams use it. `test/workerd` runs the same code on the real one; here it is
 * a model, so that time and faults are the simulation's.
 */

type Listener = (event: { data?: unknown; code?: number; reason?: string }) => void;

/** Where a {@link ServerSocket} sends to: a wire to an agent, or a client's WebSocket. */
export interface Conduit {
  fromServer(data: string | Uint8Array<ArrayBuffer>): void;
  closedByServer(code: number, reason: string): void;
}

/** A WebSocket as the plane's code holds it: one handle for each life of its object. */
export class ServerSocket {
  /** The object's life is over: the handle does nothing. */
  dead = false;
  binaryType = 'arraybuffer';
  attachment: unknown = null;
  #closed = false;
  #conduit: Conduit | null = null;
  readonly #waiting: ((conduit: Conduit) => void)[] = [];
  readonly #listeners = new Map<string, Listener[]>();

  join(conduit: Conduit): void {
    this.#conduit = conduit;
    for (const each of this.#waiting.splice(0)) each(conduit);
  }

  accept(): void {
    return;
  }

  addEventListener(type: string, listener: Listener): void {
    this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), listener]);
  }

  emit(type: string, event: Parameters<Listener>[0]): void {
    if (this.dead) return;
    if (type === 'close') this.#closed = true;
    for (const listener of this.#listeners.get(type) ?? []) listener(event);
  }

  serializeAttachment(value: unknown): void {
    this.attachment = structuredClone(value);
  }

  deserializeAttachment(): unknown {
    return structuredClone(this.attachment);
  }

  send(data: string | Uint8Array<ArrayBuffer>): void {
    if (this.dead) return;
    if (this.#closed) throw new TypeError("Can't call WebSocket send() after close().");
    this.#through((conduit) => conduit.fromServer(data));
  }

  close(code = 1005, reason = ''): void {
    if (this.dead || this.#closed) return;
    this.#closed = true;
    this.#through((conduit) => conduit.closedByServer(code, reason));
  }

  #through(act: (conduit: Conduit) => void): void {
    if (this.#conduit === null) this.#waiting.push(act);
    else act(this.#conduit);
  }
}

class Pair {
  readonly 0: ServerSocket;
  readonly 1: ServerSocket;
  constructor() {
    // One object stands for both ends: who is handed the client's joins a conduit to it.
    const socket = new ServerSocket();
    this[0] = socket;
    this[1] = socket;
  }
}

/** A Response with what Node's refuses: status 101 and a WebSocket. */
export class PlaneResponse {
  readonly body: ReadableStream<Uint8Array> | Uint8Array | null;
  readonly status: number;
  readonly headers: Headers;
  readonly webSocket: ServerSocket | null;

  constructor(
    body: ReadableStream<Uint8Array> | Uint8Array | null,
    init: { status?: number; headers?: Headers; webSocket?: ServerSocket } = {},
  ) {
    this.body = body;
    this.status = init.status ?? 200;
    this.headers = init.headers ?? new Headers();
    this.webSocket = init.webSocket ?? null;
  }
}

/** Streams whose writer waits for the reader, as workerd's do. */
class Identity extends TransformStream<Uint8Array, Uint8Array> {
  constructor(transformer: ConstructorParameters<typeof TransformStream<Uint8Array, Uint8Array>>[0] = {}) {
    super(transformer, { highWaterMark: 1 }, { highWaterMark: 0 });
  }
}

/** … and that hold their writer to the length that was declared. */
class FixedLength extends Identity {
  constructor(length: number) {
    let left = length;
    super({
      transform: (chunk, controller) => {
        left -= chunk.byteLength;
        if (left < 0) throw new TypeError('Attempt to write too many bytes through a FixedLengthStream.');
        controller.enqueue(chunk);
      },
      flush: () => {
        if (left > 0) throw new TypeError('FixedLengthStream did not see all expected bytes before close().');
      },
    });
  }
}

/** The globals of workerd that Node lacks, or has otherwise. */
export const PLATFORM = {
  Response: PlaneResponse,
  WebSocketPair: Pair,
  IdentityTransformStream: Identity,
  FixedLengthStream: FixedLength,
  WebSocketRequestResponsePair: Object,
};
