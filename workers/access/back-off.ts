import * as z from 'zod';

/**
 * Waits between tries of a cluster that cannot be reached, ms: doubles from the first to the second. With the first, one that fails at once is tried four times within 5 s, and one that does not answer twice: a
 * revocation outlasts an object that is being moved or reset. One that is back later takes its revocations within the second.
 */
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 60_000;

/** What is kept of clusters that could not be reached, by id: the last wait, and the moment (epoch ms) of the next try. */
export const Failing = z.record(z.string(), z.object({ wait: z.int().positive(), until: z.int() }));
export type Failing = z.infer<typeof Failing>;

/** When to try clusters again that could not be reached: each waits by itself, so that one that is gone for long makes none of the others wait. */
export class BackOff {
  readonly #failing: Map<string, Failing[string]>;

  constructor(failing: Failing = {}) {
    this.#failing = new Map(Object.entries(failing));
  }

  get ids(): string[] {
    return [...this.#failing.keys()];
  }

  /** Those whose wait is over, longest over first. */
  due(now: number): string[] {
    return [...this.#failing]
      .filter(([, { until }]) => until <= now)
      .toSorted(([, a], [, b]) => a.until - b.until)
      .map(([id]) => id);
  }

  failed(id: string, now: number): void {
    const last = this.#failing.get(id);
    const wait = last === undefined ? FIRST_WAIT_MS : Math.min(last.wait * 2, LONGEST_WAIT_MS);
    this.#failing.set(id, { wait, until: now + wait });
  }

  reached(id: string): void {
    this.#failing.delete(id);
  }

  /** The moment of the next try, epoch ms; null: none is failing. */
  next(): number | null {
    return this.#failing.size === 0 ? null : Math.min(...[...this.#failing.values()].map(({ until }) => until));
  }

  toJSON(): Failing {
    return Object.fromEntries(this.#failing);
  }
}
