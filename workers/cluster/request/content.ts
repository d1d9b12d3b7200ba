import { MAX_DATA_BYTES } from '#schema/protocol/limits.ts';
import { EARLY_ANSWER_BYTES, EARLY_ANSWER_MS, MAX_EARLY_ANSWERS } from '../limits.ts';

/**
 * Early answers of this isolate that wait now, each until its time. No count: of a client that leaves the platform may end the invocation, and nothing of that runs any
 * more, so that a place that is given back by whoever took it may be gone for as long as the isolate lives.
 */
const waiting = new Set<{ readonly until: number }>();

/** Whether one more may wait. */
function hasRoom(): boolean {
  const now = Date.now();
  for (const place of waiting) if (place.until <= now) waiting.delete(place);
  return waiting.size < MAX_EARLY_ANSWERS;
}

/**
 * A request's content on its way from its client. Somebody may send it on; when the request is answered and nobody does, it is cancelled, by which the platform ends the client's
 * connection: kj's HTTP server takes 64 KiB more of it, for a second (`canceledUploadGraceBytes`, `canceledUploadGracePeriod`). A client that is still writing then hears of a broken pipe and never reads its answer.
 * So an error waits until the rest has come, and was thrown away: net/http does the same, for 256 KiB.
 */
export class Content {
  readonly #reader: ReadableStreamBYOBReader;
  /** Settles when whoever sends it on has left; null: nobody does. */
  #sending: PromiseWithResolvers<void> | null = null;
  #answered = false;
  #ended = false;

  constructor(body: ReadableStream<Uint8Array>) {
    // By default the platform gives 4 KiB at a time, each a promise.
    this.#reader = body.getReader({ mode: 'byob' });
  }

  /** Of a request that has some, which nobody reads yet. */
  static of(request: Request): Content | null {
    const body: ReadableStream<Uint8Array> | null = request.body;
    return body === null || body.locked ? null : new Content(body);
  }

  /** The next piece; null: that was all. Rejects when the client goes away before. */
  async read(): Promise<Uint8Array | null> {
    const { done, value } = await this.#reader.read(new Uint8Array(MAX_DATA_BYTES));
    if (!done && value !== undefined) return value;
    this.#ended = true;
    return null;
  }

  /** Runs something that reads it to send it on, until it is not wanted any more. */
  async sentBy(send: () => Promise<void>): Promise<void> {
    this.#sending = Promise.withResolvers();
    try {
      await send();
    } finally {
      this.#sending.resolve();
      this.#sending = null;
      this.#cancelUnwanted();
    }
  }

  /**
   * The request was answered: resolves when the answer may go out. That is at once, unless it is an error and there is more to come. An error says that the rest is not wanted; any other answer may be
   * one half of an exchange that goes both ways at once, whose client waits for it before it goes on.
   */
  async answered(status: number): Promise<void> {
    if (status >= 400 && !this.#ended && hasRoom()) await this.#rest();
    this.#answered = true;
    this.#cancelUnwanted();
  }

  /** Waits for the rest, within bounds. */
  async #rest(): Promise<void> {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, EARLY_ANSWER_MS);
    const place = { until: Date.now() + EARLY_ANSWER_MS };
    waiting.add(place);
    try {
      await Promise.race([this.#discard(), late.promise]);
    } finally {
      waiting.delete(place);
      clearTimeout(timer);
    }
  }

  /** Whoever sends it on goes first: the answer may have begun while the cluster still reads. */
  async #discard(): Promise<void> {
    await this.#sending?.promise;
    try {
      for (let left = EARLY_ANSWER_BYTES; left > 0 && !this.#answered;) {
        const piece = await this.read();
        if (piece === null) return;
        left -= piece.byteLength;
      }
    } catch {
      // The client has gone, and with it whoever would read the answer.
      return;
    }
  }

  #cancelUnwanted(): void {
    if (!this.#answered || this.#sending !== null || this.#ended) return;
    this.#ended = true;
    this.#reader.cancel('the request was answered').catch(() => undefined);
  }
}
