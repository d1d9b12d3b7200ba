import { expect, test } from 'vitest';
import { SILENCE_MS } from '#schema/protocol/limits.ts';
import { elect, supersede, type Presence } from './presence.ts';

const NOW = 10_000_000;
const tunnel = (change: Partial<Presence>): Presence => ({
  instance: 'a',
  epoch: 1,
  role: 'cluster',
  draining: false,
  settledAt: NOW - 1000,
  heardAt: NOW,
  ...change,
});

test('without tunnels nobody is elected', () => {
  expect(elect([], NOW)).toBeNull();
});

test('the longest settled cluster agent serves; a second replica stands by', () => {
  const first = tunnel({ instance: 'b', settledAt: NOW - 2000 });
  expect(elect([tunnel({}), first], NOW)).toBe(first);
});

test('a draining tunnel takes no new streams', () => {
  const standby = tunnel({ instance: 'b' });
  expect(elect([tunnel({ settledAt: 0, draining: true }), standby], NOW)).toBe(standby);
});

test('a silent tunnel takes no new streams', () => {
  const standby = tunnel({ instance: 'b' });
  expect(elect([tunnel({ settledAt: 0, heardAt: NOW - SILENCE_MS - 1 }), standby], NOW)).toBe(standby);
});

test('a node agent serves only when no cluster agent can', () => {
  const node = tunnel({ instance: 'n', role: 'node', settledAt: 0 });
  const cluster = tunnel({ instance: 'c' });
  expect(elect([node, cluster], NOW)).toBe(cluster);
  expect(elect([node, { ...cluster, draining: true }], NOW)).toBe(node);
});

test('tunnels settled at the same moment are told apart by instance, so that every wake elects the same one', () => {
  const a = tunnel({ instance: 'a' });
  const b = tunnel({ instance: 'b' });
  expect(elect([b, a], NOW)).toBe(a);
  expect(elect([a, b], NOW)).toBe(a);
});

test('a newer dial of an instance replaces its older ones and leaves other instances alone', () => {
  const old = tunnel({ epoch: 1 });
  const other = tunnel({ instance: 'b', epoch: 1 });
  expect(supersede({ instance: 'a', epoch: 2 }, [old, other])).toEqual({ refused: false, replaced: [old] });
});

test('a draining tunnel of the instance is left to finish, and still refuses older dials', () => {
  const draining = tunnel({ epoch: 2, draining: true });
  expect(supersede({ instance: 'a', epoch: 3 }, [draining])).toEqual({ refused: false, replaced: [] });
  expect(supersede({ instance: 'a', epoch: 1 }, [draining]).refused).toBe(true);
});

test('a dial that is not newer than what the instance has is refused', () => {
  expect(supersede({ instance: 'a', epoch: 2 }, [tunnel({ epoch: 2 })]).refused).toBe(true);
  expect(supersede({ instance: 'a', epoch: 1 }, [tunnel({ epoch: 2 })]).refused).toBe(true);
});
