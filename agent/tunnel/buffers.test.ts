import { expect, test } from 'vitest';
import { PULL_BYTES } from '#schema/protocol/limits.ts';
import { MessageBuffers } from './buffers.ts';

test('a buffer is used again once it was given back, and not before', () => {
  const buffers = new MessageBuffers();
  const first = buffers.take(100);
  const second = buffers.take(100);
  expect(second.buffer).not.toBe(first.buffer);
  buffers.give(first.subarray(0, 100));
  expect(buffers.take(PULL_BYTES).buffer).toBe(first.buffer);
});

test('what is larger than a message has a buffer of its own, which is not kept', () => {
  const buffers = new MessageBuffers();
  const large = buffers.take(PULL_BYTES + 1);
  expect(large.byteLength).toBe(PULL_BYTES + 1);
  buffers.give(large);
  expect(buffers.take(PULL_BYTES + 1).buffer).not.toBe(large.buffer);
});

test('no more are kept than a socket has under way', () => {
  const buffers = new MessageBuffers();
  const taken = Array.from({ length: 100 }, () => buffers.take(1));
  for (const buffer of taken) buffers.give(buffer);
  const again = Array.from({ length: 100 }, () => buffers.take(1));
  const reused = again.filter(({ buffer }) => taken.some((other) => other.buffer === buffer));
  expect(reused).toHaveLength(16);
});
