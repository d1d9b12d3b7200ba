import { expect, it } from 'vitest';
import { ReconnectPolicy } from './reconnect.ts';

const HIGHEST = 1 - Number.EPSILON;

it('waits less than a second before the first retry, whatever the dice say', () => {
  expect(new ReconnectPolicy(() => HIGHEST).next({ how: 'failed' })).toBeLessThan(1000);
});

it('spreads from nothing to the ceiling (full jitter)', () => {
  expect(new ReconnectPolicy(() => 0).next({ how: 'failed' })).toBe(0);
});

it('doubles its ceiling up to 30 s, and no further', () => {
  const policy = new ReconnectPolicy(() => HIGHEST);
  const waits = Array.from({ length: 2000 }, () => Math.round(policy.next({ how: 'failed' })));
  expect(waits.slice(0, 7)).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  expect(Math.max(...waits)).toBe(30_000);
});

it('begins anew after a tunnel that lived', () => {
  const policy = new ReconnectPolicy(() => HIGHEST);
  for (let i = 0; i < 5; i++) policy.next({ how: 'failed' });
  expect(policy.next({ how: 'lived', ms: 60_000 })).toBeLessThan(1000);
});

it('is back within two seconds from a network that cuts every few seconds, and slow to a tunnel that we break each time', () => {
  const policy = new ReconnectPolicy(() => HIGHEST);
  const waits = Array.from({ length: 40 }, () => Math.round(policy.next({ how: 'lived', ms: 100 })));
  expect(waits.slice(0, 3)).toEqual([1000, 2000, 2000]);
  expect(Math.max(...waits.slice(0, 20))).toBe(2000);
  expect(waits.at(-1)).toBe(30_000);
  expect(Math.round(policy.next({ how: 'lived', ms: 60_000 }))).toBe(1000);
});

it('holds what failed before a tunnel came to be against no later loss of it', () => {
  const policy = new ReconnectPolicy(() => HIGHEST);
  for (let i = 0; i < 5; i++) policy.next({ how: 'failed' });
  expect(policy.next({ how: 'lived', ms: 5_000 })).toBeLessThan(1000);
});

it('is slow from the first time on when it was refused', () => {
  expect(new ReconnectPolicy(() => 0).next({ how: 'refused' })).toBe(15_000);
  expect(new ReconnectPolicy(() => HIGHEST).next({ how: 'refused' })).toBeLessThanOrEqual(30_000);
});

it('waits at most 2 s where nothing listens, so that no agent is missing for longer once something does', () => {
  const policy = new ReconnectPolicy(() => HIGHEST);
  const waits = Array.from({ length: 20 }, () => Math.round(policy.next({ how: 'away' })));
  expect(waits.slice(0, 3)).toEqual([1000, 2000, 2000]);
  expect(Math.max(...waits)).toBe(2000);
});

it('waits no more than a twentieth of a long outage, and never more than 30 s', () => {
  const policy = new ReconnectPolicy(() => HIGHEST);
  let outage = 0;
  for (let i = 0; i < 1000; i++) {
    const wait = policy.next({ how: 'away' });
    expect(wait).toBeLessThanOrEqual(Math.max(2000, outage / 20));
    expect(wait).toBeLessThanOrEqual(30_000);
    outage += wait;
  }
  expect(policy.next({ how: 'away' })).toBeGreaterThan(29_000);
});

it('holds nothing against a plane that was away, and does not forget what it answered before', () => {
  const policy = new ReconnectPolicy(() => HIGHEST);
  for (let i = 0; i < 3; i++) policy.next({ how: 'failed' });
  for (let i = 0; i < 5; i++) policy.next({ how: 'away' });
  expect(Math.round(policy.next({ how: 'failed' }))).toBe(8000);
  expect(Math.round(policy.next({ how: 'away' }))).toBe(1000);
});
