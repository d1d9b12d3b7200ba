import { ProtocolCode, ProtocolError } from '#schema/protocol/codec/codes.ts';
import { AGENT_LIMITS } from '#schema/protocol/limits.ts';

/**
 * One message to the API server: kubectl sends 32 KiB, a browser what is pasted. It goes as one frame, since the API server's library takes each frame
 * for a message (`golang.org/x/net/websocket`): the first octet of a continuation would be read as a channel number.
 */
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

/** What all streams together may hold beyond their windows, for messages larger than a window: an eighth of the pod's memory. */
const MAX_BORROWED_BYTES = 32 * 1024 * 1024;

/**
 * A message that has come this far without its end may be larger than the window, and needs more credit to go on: less than a quarter of the window may be consumed
 * and not reported (`window.ts`). kubectl's 32 KiB stay below it.
 */
const BORROW_AT_BYTES = (AGENT_LIMITS.streamWindow * 3) / 4;

/** A common account of octets. */
export class Budget {
  readonly #limit: number;
  #taken = 0;

  constructor(limit: number = MAX_BORROWED_BYTES) {
    this.#limit = limit;
  }

  get taken(): number {
    return this.#taken;
  }

  /** False, and nothing is taken, when that is more than there is. */
  take(bytes: number): boolean {
    if (this.#taken + bytes > this.#limit) return false;
    this.#taken += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#taken -= bytes;
  }
}

/** A whole message. */
export interface Whole {
  message: Uint8Array;
  /**
   * Call once, when the message has left or never will: gives back its credit.
   * @throws ProtocolError OVERLOADED, as {@link Messages.push}, for the message that has waited behind it.
   */
  done: () => void;
}

/**
 * Puts the messages of one stream together again. Credit for a message comes when it has left. It comes sooner, lent from the budget, while nothing of the stream waits for the API server: parts
 * of many streams would else hold the session's window, and none could send its end; and a message may be larger than its window.
 */
export class Messages {
  readonly #budget: Budget;
  readonly #consumed: (bytes: number) => void;
  #parts: Uint8Array[] = [];
  #size = 0;
  /** Of the parts, what was given credit for already. */
  #borrowed = 0;
  /** Messages that have not left yet. */
  #waiting = 0;

  constructor(budget: Budget, consumed: (bytes: number) => void) {
    this.#budget = budget;
    this.#consumed = consumed;
  }

  /**
   * Takes a part; gives the message when it was the last.
   * @throws ProtocolError LIMIT for a message that is too large, OVERLOADED when all streams together hold too much.
   */
  push(data: Uint8Array, last: boolean): Whole | null {
    if (data.byteLength > 0) this.#parts.push(data);
    this.#size += data.byteLength;
    if (this.#size > MAX_MESSAGE_BYTES) throw new ProtocolError(ProtocolCode.LIMIT, 'a message larger than 4 MiB');
    if (last) return this.#finish();
    this.#borrow();
    return null;
  }

  /** While messages wait, the next one's parts wait too: their credit comes when those have left. */
  #borrow(): void {
    const held = this.#size - this.#borrowed;
    if (held === 0 || this.#waiting > 0) return;
    if (this.#budget.take(held)) {
      this.#borrowed += held;
      this.#consumed(held);
    } else if (held >= BORROW_AT_BYTES) {
      throw new ProtocolError(ProtocolCode.OVERLOADED, 'too many large messages wait');
    }
  }

  /** Forgets a message whose end will not come. */
  drop(): void {
    this.#finish().done();
  }

  #finish(): Whole {
    const [only] = this.#parts;
    const message = this.#parts.length === 1 && only !== undefined ? only : Buffer.concat(this.#parts);
    const borrowed = this.#borrowed;
    const held = this.#size - borrowed;
    this.#parts = [];
    this.#size = 0;
    this.#borrowed = 0;
    this.#waiting++;
    return {
      message,
      done: () => {
        this.#waiting--;
        this.#budget.give(borrowed);
        if (held > 0) this.#consumed(held);
        this.#borrow();
      },
    };
  }
}
