import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { expect, it } from 'vitest';
import { MAX_ANSWER_BYTES, readAnswer } from './plane.ts';

/** An answer's body, in pieces. */
const answer = (...sizes: number[]) => Readable.from(sizes.map((size) => Buffer.alloc(size))) as IncomingMessage;

it('reads an answer of the plane, and no longer one', async () => {
  expect(await readAnswer(answer(MAX_ANSWER_BYTES - 1, 1))).toHaveLength(MAX_ANSWER_BYTES);
  await expect(readAnswer(answer(MAX_ANSWER_BYTES, 1))).rejects.toThrow('too long');
});
