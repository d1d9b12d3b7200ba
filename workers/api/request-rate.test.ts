import { expect, test } from 'vitest';
import { admitAddress, admitToken } from './request-rate.ts';

/** How many of so many requests at once are let through. */
function admitted(admit: (now: number) => void, requests: number, now: number): number {
  let through = 0;
  for (let i = 0; i < requests; i++) {
    try {
      admit(now);
      through++;
    } catch (error) {
      expect(error).toMatchObject({ code: 'overloaded', retryAfter: 1 });
    }
  }
  return through;
}

test('one token asks so often and no more, and as much again as it waits', () => {
  const admit = (now: number): void => admitToken('t-aaaaaaaaaa', now);
  expect(admitted(admit, 2_000, 1_000)).toBe(1_000);
  expect(admitted(admit, 2_000, 2_000)).toBe(100);
});

test('one address asks so often and no more, and others are not held up by it', () => {
  expect(admitted((now) => admitAddress('192.0.2.1', now), 3_000, 1_000)).toBe(2_000);
  expect(admitted((now) => admitAddress('192.0.2.2', now), 10, 1_000)).toBe(10);
  expect(admitted((now) => admitAddress('192.0.2.1', now), 3_000, 2_000)).toBe(200);
});

test('where the platform says no address nobody is held up for another', () => {
  expect(admitted((now) => admitAddress(null, now), 3_000, 1_000)).toBe(3_000);
});
