import { expect, test } from 'vitest';
import { Tuning } from './tuning.ts';
import { ReceiveWindow } from './window.ts';

const KIB = 1024;

test('an incarnation that ends takes the room of its windows along, and leaves what is known of the line', () => {
  let now = 0;
  const before = new Tuning(() => now, 1000 * KIB);
  before.sample(50);
  const after = new Tuning(() => now, 1000 * KIB, before);
  const window = new ReceiveWindow(64 * KIB, after);
  window.received(64 * KIB);
  now = 60;
  expect(window.consumed(64 * KIB)).toBe(128 * KIB);
  expect(after.room).toBe(936 * KIB);
});

test('a window that was released gives its growth back once, and takes none for what is consumed late', () => {
  const tuning = new Tuning(() => 0, 1000 * KIB);
  tuning.sample(50);
  const window = new ReceiveWindow(64 * KIB, tuning);
  window.received(64 * KIB);
  window.consumed(64 * KIB);
  window.received(128 * KIB);
  // Not a whole window yet, but more than one of its first size.
  window.consumed(96 * KIB);
  window.release();
  expect(tuning.room).toBe(1000 * KIB);
  window.consumed(32 * KIB);
  expect(tuning.room).toBe(1000 * KIB);
});
