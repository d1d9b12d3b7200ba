import { STALLED_MS } from '../limits.ts';
import type { Stream } from './stream.ts';

/** The streams of a session that hold octets which their readers have not taken, those first that have taken nothing for longest. */
export class Holding {
  readonly #now: () => number;
  readonly #streams = new Set<Stream>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Something came for the stream. */
  add(stream: Stream): void {
    if (this.#streams.has(stream)) return;
    stream.touchedAt = this.#now();
    this.#streams.add(stream);
  }

  /** Its reader took something. */
  touched(stream: Stream): void {
    this.#streams.delete(stream);
    if (stream.receiveWindow.held > 0) this.add(stream);
  }

  /** The one that has waited for its reader longest, if that is too long. */
  stalled(): Stream | null {
    const stream = this.#streams.values().next().value;
    return stream !== undefined && this.#now() - stream.touchedAt >= STALLED_MS ? stream : null;
  }

  clear(): void {
    this.#streams.clear();
  }
}
