import { RateBudget } from '#schema/protocol/flow/rate.ts';
import { MAX_RATED, TOKEN_RATE } from './limits.ts';

/**
 * A {@link RateBudget} for each of many: people, tokens, or addresses. In memory alone: what is spent comes back within a minute, and an object that is asked for nothing has
 * nothing to hold against anybody. When there are too many to remember, the one that was heard of first is forgotten.
 */
export class Rates {
  readonly #rate: { perSecond: number; burst: number };
  readonly #budgets = new Map<string, RateBudget>();

  constructor(rate: { perSecond: number; burst: number }) {
    this.#rate = rate;
  }

  get size(): number {
    return this.#budgets.size;
  }

  /** Spends one; false when there is none left. */
  spend(of: string, now: number): boolean {
    return this.#budget(of, now).spend(1, now);
  }

  /** Spends one, whether there is one or not: it has happened. */
  charge(of: string, now: number): void {
    this.#budget(of, now).charge(1, now);
  }

  /** Whether there is one left to spend. Those who spend nothing are not remembered. */
  allows(of: string, now: number): boolean {
    const budget = this.#budgets.get(of);
    if (budget === undefined) return true;
    if (budget.isFull(now)) this.#budgets.delete(of);
    return budget.has(1, now);
  }

  #budget(of: string, now: number): RateBudget {
    let budget = this.#budgets.get(of);
    if (budget === undefined) {
      const [oldest] = this.#budgets.keys();
      if (this.#budgets.size >= MAX_RATED && oldest !== undefined) this.#budgets.delete(oldest);
      budget = new RateBudget(this.#rate, now);
      this.#budgets.set(of, budget);
    }
    return budget;
  }
}

/** For requests by token: {@link TOKEN_RATE}, or as many a second as the plane's configuration says, and as many times that at once. */
export function tokenRates(perSecond: number | null): Rates {
  const times = TOKEN_RATE.burst / TOKEN_RATE.perSecond;
  return new Rates(perSecond === null ? TOKEN_RATE : { perSecond, burst: perSecond * times });
}
