import type { Tuning } from './tuning.ts';

/** What a sender may still send: credit of a stream or of the session. */
export class SendWindow {
  #credit: number;
  constructor(size: number) {
    this.#credit = size;
  }
  get credit(): number {
    return this.#credit;
  }
  spend(bytes: number): void {
    this.#credit -= bytes;
  }
  /** Returns false when the sum passes 2^31 - 1: no honest receiver offers that much. */
  grant(bytes: number): boolean {
    this.#credit += bytes;
    return bytes > 0 && this.#credit <= 0x7fff_ffff;
  }
}

/**
 * What a receiver has promised to take. Reports consumption once a quarter of what is not held has been consumed: seldom enough to be cheap, and a sender that has run dry always
 * has all of that consumed or on its way to be, so it cannot wait for ever. With a {@link Tuning} it grows while it is what the sender waits for, and shrinks again.
 */
export class ReceiveWindow {
  readonly #least: number;
  #tuning: Tuning | null;
  #size: number;
  /** What the size is on its way to. */
  #target: number;
  /** Credit the sender has and has not used. */
  #open: number;
  #unreported = 0;
  #held = 0;
  /** Since the window was last looked at: when that was, ms, and what has been reported. */
  #since: number;
  #reported = 0;

  constructor(size: number, tuning: Tuning | null = null) {
    this.#least = size;
    this.#size = size;
    this.#target = size;
    this.#open = size;
    this.#tuning = tuning;
    this.#since = tuning?.now() ?? 0;
  }
  /** What may be on its way and held at once: always the open credit, the unreported and the held octets together. */
  get size(): number {
    return this.#size;
  }
  /** Octets that arrived and were not consumed yet. */
  get held(): number {
    return this.#held;
  }
  /** Returns false when the sender had no credit for it. */
  received(bytes: number): boolean {
    this.#open -= bytes;
    this.#held += bytes;
    return this.#open >= 0;
  }
  /** Returns the credit to report now; 0: not yet, or none. More than is held counts as all that is held. */
  consumed(bytes: number): number {
    const taken = Math.min(bytes, this.#held);
    this.#held -= taken;
    this.#unreported += taken;
    // Of what is not held: the rest has to do for everybody else, and would never amount to a quarter of the whole.
    if (this.#unreported < Math.max(1, Math.floor((this.#size - this.#held) / 4))) return 0;
    let credit = this.#unreported;
    this.#unreported = 0;
    this.#reported += credit;
    if (this.#tuning !== null && (this.#reported >= this.#size || this.#tuning.isSlow(this.#since))) {
      this.#target = this.#tuning.judge(this.#size, this.#least, this.#since);
      this.#reported = 0;
      this.#since = this.#tuning.now();
    }
    if (this.#target !== this.#size) {
      // What the window grows by is given beside what was consumed, what it shrinks by is kept back from that.
      const change = Math.max(this.#target - this.#size, -credit);
      this.#size += change;
      credit += change;
      if (change < 0) this.#tuning?.give(-change);
    }
    this.#open += credit;
    return credit;
  }
  /** The stream is over: what the window had grown by is others' to take, and it grows no more, though what it holds may still be consumed. */
  release(): void {
    this.#tuning?.give(this.#size - this.#least);
    this.#tuning = null;
    this.#size = this.#least;
    this.#target = this.#least;
  }
}
