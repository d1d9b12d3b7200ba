import { expect, test } from 'vitest';
import { MAX_CALL_MS } from '../limits.ts';
import { decodeCall, encodeCall } from './call.ts';
import { ProtocolCode } from './codes.ts';

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytes = (head: string): Uint8Array => new TextEncoder().encode(head);

test('the head of a call is octet for octet what the specification says', () => {
  const head = { question: '/directory', deadline: 25_000 };
  expect(text(encodeCall(head))).toBe('ASK /directory\ndeadline:25000');
  expect(decodeCall(encodeCall(head))).toEqual(head);
});

test('a field that a newer plane adds is no hindrance', () => {
  expect(decodeCall(bytes('ASK /directory\nnewer:1\ndeadline:1'))).toEqual({ question: '/directory', deadline: 1 });
});

test.each([
  'GET /directory\ndeadline:1000',
  'ASK /directory',
  'ASK /directory\ndeadline:0',
  'ASK /directory\ndeadline:1e3',
  'ASK /directory\ndeadline: 1000',
  'ASK /directory\ndeadline:60001',
  'ASK /directory\ndeadline:1000\ndeadline:2000',
  'ASK directory\ndeadline:1000',
])('%j asks nothing', (head) => {
  expect(() => decodeCall(bytes(head))).toThrow(expect.objectContaining({ code: ProtocolCode.PROTOCOL_ERROR }));
});

test.each([0, -1, 1.5, Number.NaN, MAX_CALL_MS + 1])('no call waits for %d ms', (deadline) => {
  expect(() => encodeCall({ question: '/directory', deadline })).toThrow(
    expect.objectContaining({ name: 'ProtocolError' }),
  );
});

test('a question whose name would forge a field is not sent', () => {
  expect(() => encodeCall({ question: '/directory\ndeadline:1', deadline: 2 })).toThrow(
    expect.objectContaining({ name: 'ProtocolError' }),
  );
});
