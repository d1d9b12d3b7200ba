import { expect, test } from 'vitest';
import { RateBudget } from './rate.ts';

test('a burst is there at once, and what was spent comes back with time', () => {
  const budget = new RateBudget({ perSecond: 10, burst: 3 }, 0);
  expect([1, 1, 1, 1].map((amount) => budget.spend(amount, 0))).toEqual([true, true, true, false]);
  expect([100, 150, 200].map((now) => budget.spend(1, now))).toEqual([true, false, true]);
  expect(budget.isFull(499)).toBe(false);
  expect(budget.isFull(500)).toBe(true);
});

test('no more than the burst is ever saved', () => {
  const budget = new RateBudget({ perSecond: 10, burst: 3 }, 0);
  expect([3, 1].map((amount) => budget.spend(amount, 1e9))).toEqual([true, false]);
});

test('more than is left is not taken in part', () => {
  const budget = new RateBudget({ perSecond: 10, burst: 3 }, 0);
  expect([4, 3].map((amount) => budget.spend(amount, 0))).toEqual([false, true]);
});

test('what was charged beyond the burst has to come back first', () => {
  const budget = new RateBudget({ perSecond: 10, burst: 3 }, 0);
  budget.charge(5, 0);
  expect([0, 200, 299, 300].map((now) => budget.has(1, now))).toEqual([false, false, false, true]);
});

test('a clock that is set back gives nothing', () => {
  const budget = new RateBudget({ perSecond: 10, burst: 3 }, 1000);
  expect([budget.spend(3, 1000), budget.spend(1, 0)]).toEqual([true, false]);
});
