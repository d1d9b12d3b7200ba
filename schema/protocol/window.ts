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
 * What a receiver has promised to take. Reports consumption once a quarter of the window has been consumed: seldom enough to be cheap, and a sender that has run dry always
 * has all of the window consumed or on its way to be, so it cannot wait for ever.
 */
export class ReceiveWindow {
  readonly #reportAt: number;
  /** Credit the sender has and has not used. */
  #open: number;
  #unreported = 0;
  #held = 0;

  constructor(size: number) {
    this.#open = size;
    this.#reportAt = Math.max(1, Math.floor(size / 4));
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
  /** Returns the credit to report now; 0: not yet. More than is held counts as all that is held. */
  consumed(bytes: number): number {
    const taken = Math.min(bytes, this.#held);
    this.#held -= taken;
    this.#unreported += taken;
    if (this.#unreported < this.#reportAt) return 0;
    const credit = this.#unreported;
    this.#unreported = 0;
    this.#open += credit;
    return credit;
  }
}
