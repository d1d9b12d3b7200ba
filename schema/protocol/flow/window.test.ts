import * as fc from 'fast-check';
import { expect, test } from 'vitest';

import { ReceiveWindow, SendWindow } from './window.ts';

test('credit is reported when a quarter of what is not held was consumed, and not before', () => {
  const window = new ReceiveWindow(400);
  expect(window.received(100)).toBe(true);
  expect(window.consumed(98)).toBe(0);
  expect(window.consumed(2)).toBe(100);
  expect(window.held).toBe(0);
});

test('what is held and never read does not keep the rest of the window from going round', () => {
  const window = new ReceiveWindow(400);
  window.received(390);
  expect(window.consumed(2)).toBe(0);
  expect(window.consumed(1)).toBe(3);
});

test('an octet past the window is refused', () => {
  const window = new ReceiveWindow(10);
  expect(window.received(10)).toBe(true);
  expect(window.received(1)).toBe(false);
});

test('consuming more than was received gives no credit for what never came', () => {
  const window = new ReceiveWindow(8);
  window.received(3);
  expect(window.consumed(1_000_000)).toBe(3);
  expect(window.held).toBe(0);
});

test('credit past 2^31 - 1 is refused, and so is none', () => {
  expect(new SendWindow(1).grant(0x7fff_fffe)).toBe(true);
  expect(new SendWindow(1).grant(0x7fff_ffff)).toBe(false);
  expect(new SendWindow(1).grant(0)).toBe(false);
});

test('any window and any sizes: a sender that is out of credit gets some once all was consumed', () => {
  const sizes = fc.infiniteStream(fc.integer({ min: 1, max: 5000 }));
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10_000 }), sizes, sizes, (size, frames, meals) => {
      const sender = new SendWindow(size);
      const receiver = new ReceiveWindow(size);
      for (let sent = 0; sent < 3 * size;) {
        const bytes = Math.min(frames.next().value, sender.credit);
        sender.spend(bytes);
        expect(receiver.received(bytes)).toBe(true);
        sent += bytes;
        while (receiver.held > 0 && (sender.credit === 0 || meals.next().value % 2 === 0)) {
          const credit = receiver.consumed(meals.next().value);
          if (credit > 0) sender.grant(credit);
        }
        expect(sender.credit).toBeGreaterThan(0);
        expect(receiver.held).toBeLessThanOrEqual(size);
      }
    }),
  );
});
