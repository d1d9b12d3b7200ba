import { random } from '../../conformance/support/link.ts';

/** Choices that follow from a seed. */
export class Dice {
  readonly next: () => number;

  constructor(seed: number) {
    this.next = random(seed);
  }

  /** A whole number from 0, below `n`. */
  below(n: number): number {
    return Math.floor(this.next() * n);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(list: readonly [T, ...T[]]): T;
  pick<T>(list: readonly T[]): T | undefined;
  pick<T>(list: readonly T[]): T | undefined {
    return list[this.below(list.length)];
  }

  /** Small mostly, and anything up to `max` now and then: sizes meet their bounds and cost little. */
  size(max: number): number {
    const most = this.chance(0.9) ? Math.min(max, 64) : this.chance(0.9) ? Math.min(max, 2048) : max;
    return this.below(most + 1);
  }
}
