import { beforeEach, expect, it } from 'vitest';
import { RequestBody } from './body.ts';

let consumed: number;
let body: RequestBody;
beforeEach(() => {
  consumed = 0;
  body = new RequestBody((bytes) => {
    consumed += bytes;
  });
});

const bytes = (length: number): Uint8Array => new Uint8Array(length);

it('gives credit for a chunk when the next is asked for: only then has the connection taken it', async () => {
  body.push(bytes(10));
  body.push(bytes(20));
  const reader = body[Symbol.asyncIterator]();
  await reader.next();
  expect(consumed).toBe(0);
  await reader.next();
  expect(consumed).toBe(10);
  body.end();
  expect((await reader.next()).done).toBe(true);
  expect(consumed).toBe(30);
});

it('waits for what has not come yet', async () => {
  const reader = body[Symbol.asyncIterator]();
  const next = reader.next();
  body.push(bytes(5));
  expect((await next).value).toHaveLength(5);
  const last = reader.next();
  body.end();
  expect((await last).done).toBe(true);
});

it('fails whoever waits, and gives the rest back', async () => {
  const reader = body[Symbol.asyncIterator]();
  const next = reader.next();
  body.fail(new Error('gone'));
  await expect(next).rejects.toThrow('gone');
  body.push(bytes(7));
  expect(consumed).toBe(7);
});

it('fails a reader that comes later', async () => {
  body.push(bytes(3));
  body.fail(new Error('gone'));
  await expect(body[Symbol.asyncIterator]().next()).rejects.toThrow('gone');
  expect(consumed).toBe(3);
});

it('gives back each octet once, whenever its reader leaves', async () => {
  body.push(bytes(10));
  body.push(bytes(20));
  for await (const _chunk of body) break;
  expect(consumed).toBe(30);
  body.push(bytes(5));
  expect(consumed).toBe(35);
  body.discard();
  expect(consumed).toBe(35);
});

it('is one piece when it is complete', () => {
  body.push(Buffer.from('one '));
  body.push(bytes(0));
  body.push(Buffer.from('two'));
  body.end();
  expect(body.size).toBe(7);
  expect(body.takeAll().toString()).toBe('one two');
  expect(consumed).toBe(7);
});
