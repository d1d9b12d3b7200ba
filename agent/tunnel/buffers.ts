import { PULL_BYTES } from '#schema/protocol/limits.ts';

/** What a socket has under way at most is a MiB; more than that lies idle. */
const MAX_KEPT = 16;

/** Buffers of messages, used again: a download would else make garbage as fast as it sends, which took a quarter of the agent's time. */
export class MessageBuffers {
  readonly #kept: Uint8Array<ArrayBuffer>[] = [];

  /** A buffer of at least `bytes`; what it holds is whatever it was used for before. */
  readonly take = (bytes: number): Uint8Array<ArrayBuffer> => {
    if (bytes > PULL_BYTES) return new Uint8Array(bytes);
    return this.#kept.pop() ?? new Uint8Array(PULL_BYTES);
  };

  /** The message has left: its buffer, which nobody may read any more, is free. */
  give(message: Uint8Array<ArrayBuffer>): void {
    const { buffer } = message;
    if (buffer.byteLength === PULL_BYTES && this.#kept.length < MAX_KEPT) this.#kept.push(new Uint8Array(buffer));
  }
}
