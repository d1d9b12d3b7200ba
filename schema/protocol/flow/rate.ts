/** So much a second, and at first or after a pause so much at once: a leaky bucket, whose clock is its caller's. */
export class RateBudget {
  readonly #perMs: number;
  readonly #burst: number;
  #spent = 0;
  #at: number;

  /** `now`, ms, from any beginning. */
  constructor({ perSecond, burst }: { perSecond: number; burst: number }, now: number) {
    this.#perMs = perSecond / 1000;
    this.#burst = burst;
    this.#at = now;
  }

  /** False, and nothing is spent, when that is more than is left. */
  spend(amount: number, now: number): boolean {
    if (!this.has(amount, now)) return false;
    this.charge(amount, now);
    return true;
  }

  /** Spends what cannot be refused any more, also where that is more than is left: it has to come back before there is anything again. */
  charge(amount: number, now: number): void {
    this.#spent = this.#spentAt(now) + amount;
    this.#at = now;
  }

  has(amount: number, now: number): boolean {
    return this.#spentAt(now) + amount <= this.#burst;
  }

  /** Whether nothing of it is spent: it need not be remembered. */
  isFull(now: number): boolean {
    return this.#spentAt(now) === 0;
  }

  /** A clock that was set back gives nothing, and takes nothing. */
  #spentAt(now: number): number {
    return Math.max(0, this.#spent - Math.max(0, now - this.#at) * this.#perMs);
  }
}
