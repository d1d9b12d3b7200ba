import { array, assert, property, uint8Array } from 'fast-check';
import { expect, test } from 'vitest';
import { ByteQueue } from './byte-queue.ts';

const bytes = uint8Array({ maxLength: 3000 });

test('what goes in comes out, in order, whatever the pieces', () => {
  assert(
    property(array(array(bytes, { maxLength: 40 }), { maxLength: 4 }), (rounds) => {
      const queue = new ByteQueue();
      for (const pieces of rounds) {
        for (const piece of pieces) queue.push(piece);
        const all = pieces.flatMap((piece) => [...piece]);
        expect(queue.size).toBe(all.length);
        expect([...queue.take()]).toEqual(all);
        expect(queue.size).toBe(0);
      }
    }),
  );
});

test('a single piece is handed on as it is', () => {
  const queue = new ByteQueue();
  const piece = new Uint8Array(10);
  queue.push(piece);
  expect(queue.take()).toBe(piece);
});

test('pieces that were taken do not change with what comes later', () => {
  const queue = new ByteQueue();
  for (const value of [1, 2, 3]) queue.push(new Uint8Array([value]));
  const taken = queue.take();
  for (const value of [4, 5, 6]) queue.push(new Uint8Array([value]));
  expect([...taken]).toEqual([1, 2, 3]);
});
