import { expect, test } from 'vitest';
import { MAX_RATED, TOKEN_RATE } from './limits.ts';
import { Rates, tokenRates } from './rates.ts';

test('each has a budget of its own', () => {
  const rates = new Rates({ perSecond: 1, burst: 2 });
  expect(['ada', 'ada', 'ada', 'bob'].map((who) => rates.spend(who, 0))).toEqual([true, true, false, true]);
  expect([rates.allows('ada', 0), rates.allows('bob', 0), rates.allows('eve', 0)]).toEqual([false, true, true]);
  expect([rates.allows('ada', 1000), rates.spend('ada', 1000), rates.spend('ada', 1000)]).toEqual([true, true, false]);
});

test('whoever has nothing spent is not remembered', () => {
  const rates = new Rates({ perSecond: 1, burst: 2 });
  rates.spend('ada', 0);
  expect([rates.allows('ada', 500), rates.size]).toEqual([true, 1]);
  expect([rates.allows('ada', 1000), rates.size]).toEqual([true, 0]);
});

test('what has happened is charged beyond what there was', () => {
  const rates = new Rates({ perSecond: 1, burst: 2 });
  for (let i = 0; i < 4; i++) rates.charge('ada', 0);
  expect([2_000, 3_000].map((now) => rates.allows('ada', now))).toEqual([false, true]);
});

test('no more are remembered than there is room for', () => {
  const rates = new Rates({ perSecond: 1, burst: 1 });
  for (let i = 0; i < MAX_RATED + 10; i++) rates.spend(String(i), 0);
  expect(rates.size).toBe(MAX_RATED);
  expect(rates.allows(String(MAX_RATED + 9), 0)).toBe(false);
});

test.each([
  [null, TOKEN_RATE],
  [5, { perSecond: 5, burst: 20 }],
])('requests with one token are bounded as the configuration says (%s), or as they are by default', (said, rate) => {
  const rates = tokenRates(said);
  const admitted = (now: number): number => {
    let count = 0;
    while (rates.spend('t-a', now)) count++;
    return count;
  };
  expect([admitted(0), admitted(1000)]).toEqual([rate.burst, rate.perSecond]);
});
