import { describe, expect, test } from 'vitest';

import { decodeClose, encodeClose, isSendableCloseCode, NO_CLOSE_CODE } from './close.ts';
import { ProtocolError } from './codes.ts';
import { MAX_CLOSE_REASON_BYTES } from '../limits.ts';

test.each([
  { code: 1000, reason: '' },
  { code: 1001, reason: 'going away' },
  { code: 3000, reason: 'ünï' },
  { code: 4999, reason: 'x'.repeat(MAX_CLOSE_REASON_BYTES) },
  { code: NO_CLOSE_CODE, reason: '' },
])('a close with $code comes back as it was', (close) => {
  expect(decodeClose(encodeClose(close))).toEqual(close);
});

test('1005 never travels: no code is no payload', () => {
  expect(encodeClose({ code: NO_CLOSE_CODE, reason: 'dropped' })).toHaveLength(0);
});

test('a reason is cut to what a close frame holds', () => {
  expect(encodeClose({ code: 1000, reason: 'x'.repeat(500) })).toHaveLength(125);
});

test('one octet is no close', () => {
  expect(() => decodeClose(Uint8Array.of(3))).toThrow(ProtocolError);
});

describe('close codes of RFC 6455 §7.4', () => {
  test.each([1000, 1001, 1003, 1007, 1011, 1012, 1014, 3000, 4000, 4999])('%d may be sent', (code) => {
    expect(isSendableCloseCode(code)).toBe(true);
  });
  test.each([0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535])('%d may not', (code) => {
    expect(isSendableCloseCode(code)).toBe(false);
  });
});
