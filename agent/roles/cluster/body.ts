/** A request's body on its way from the tunnel to the API server: octets wait here until they are taken, and only then give credit back. */
export class RequestBody implements AsyncIterable<Uint8Array> {
  readonly #consumed: (bytes: number) => void;
  readonly #chunks: Uint8Array[] = [];
  /** Someone waits for the next chunk. */
  #waiting: { resolve: () => void; reject: (error: Error) => void } | null = null;
  /** Octets that were pushed and not consumed yet, those of a chunk that is being written among them. */
  #held = 0;
  #ended = false;
  #empty = true;
  #failure: Error | null = null;
  /** Nobody reads any more: what comes is consumed at once. */
  #discarding = false;

  /** @param consumed is told of octets that were taken. */
  constructor(consumed: (bytes: number) => void) {
    this.#consumed = consumed;
  }

  /** The whole of the body is here. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Nothing has ever come. */
  get empty(): boolean {
    return this.#empty;
  }

  /** Octets that wait. */
  get size(): number {
    return this.#held;
  }

  push(chunk: Uint8Array): void {
    if (chunk.byteLength > 0) this.#empty = false;
    if (this.#discarding) {
      this.#consumed(chunk.byteLength);
      return;
    }
    if (chunk.byteLength === 0) return;
    this.#chunks.push(chunk);
    this.#held += chunk.byteLength;
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** Whoever reads gets `error`: the body will not be completed. */
  fail(error: Error): void {
    this.#failure = error;
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.reject(error);
    this.discard();
  }

  /** Nobody wants the rest. */
  discard(): void {
    this.#discarding = true;
    this.#chunks.length = 0;
    this.#take(this.#held);
  }

  /** All that waits, as one piece. */
  takeAll(): Buffer {
    const all = Buffer.concat(this.#chunks);
    this.discard();
    return all;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    try {
      for (;;) {
        if (this.#failure !== null) throw this.#failure;
        const chunk = this.#chunks.shift();
        if (chunk !== undefined) {
          yield chunk;
          // Asked for more: the connection has taken this one.
          this.#take(Math.min(this.#held, chunk.byteLength));
        } else if (this.#ended) {
          return;
        } else {
          await new Promise<void>((resolve, reject) => {
            this.#waiting = { resolve, reject };
          });
        }
      }
    } finally {
      this.discard();
    }
  }

  #take(bytes: number): void {
    if (bytes === 0) return;
    this.#held -= bytes;
    this.#consumed(bytes);
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.resolve();
  }
}
