import { describe, expect, test } from 'vitest';

import { codeName, ProtocolError } from './codes.ts';
import { decodeCode, decodeCredit, decodeFrames } from './decode.ts';
import { Batch, encodeCode, encodeCredit } from './encode.ts';
import { FrameType, type Frame } from './frame.ts';

function message(...list: Parameters<Batch['add']>[]): Uint8Array {
  const batch = new Batch();
  for (const frame of list) batch.add(...frame);
  return batch.finish();
}

/** What a message decodes to, and the code with which it is refused, if it is. */
function outcome(octets: Uint8Array): { frames: Frame[]; refused?: string } {
  const frames: Frame[] = [];
  try {
    decodeFrames(octets, (frame) => frames.push(frame));
    return { frames };
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return { frames, refused: codeName(error.code) };
  }
}

const octets = (size: number) => new Uint8Array(size).fill(0x61);

test('payloads are views of the message, not copies', () => {
  const batch = message([FrameType.DATA, 0, 0, 1, octets(3)]);
  expect(outcome(batch).frames[0]?.payload.buffer).toBe(batch.buffer);
});

test('frames before a malformed one are delivered', () => {
  const batch = message([FrameType.ACCEPT, 0, 0, 1], [FrameType.ACCEPT, 0, 0, 1, octets(1)]);
  expect(outcome(batch)).toMatchObject({ frames: [{ type: FrameType.ACCEPT }], refused: 'PROTOCOL_ERROR' });
});

describe('refused', () => {
  const breaches: [what: string, octets: Uint8Array, code: string][] = [
    ['an empty message', octets(0), 'PROTOCOL_ERROR'],
    ['less than a header', octets(11), 'PROTOCOL_ERROR'],
    ['type 0', message([0, 0, 0, 1]), 'UNKNOWN_FRAME'],
    ['an unknown critical type', message([0x0a, 0, 0, 1]), 'UNKNOWN_FRAME'],
    ['the last critical type', message([0x7f, 0, 0, 1]), 'UNKNOWN_FRAME'],
    ['OPEN of the session', message([FrameType.OPEN, 0, 0, 0, octets(5)]), 'PROTOCOL_ERROR'],
    ['OPEN without a kind', message([FrameType.OPEN, 0, 0, 1]), 'PROTOCOL_ERROR'],
    ['ACCEPT with a payload', message([FrameType.ACCEPT, 0, 0, 1, octets(1)]), 'PROTOCOL_ERROR'],
    ['HEAD without a status', message([FrameType.HEAD, 0, 0, 1, octets(2)]), 'PROTOCOL_ERROR'],
    ['DATA of the session', message([FrameType.DATA, 0, 0, 0, octets(1)]), 'PROTOCOL_ERROR'],
    ['END of one octet', message([FrameType.END, 0, 0, 1, octets(1)]), 'PROTOCOL_ERROR'],
    ['RESET without a code', message([FrameType.RESET, 0, 0, 1, octets(1)]), 'PROTOCOL_ERROR'],
    ['RESET of the session', message([FrameType.RESET, 0, 0, 0, octets(2)]), 'PROTOCOL_ERROR'],
    ['WINDOW of three octets', message([FrameType.WINDOW, 0, 0, 1, octets(3)]), 'PROTOCOL_ERROR'],
    ['GOAWAY of a stream', message([FrameType.GOAWAY, 0, 0, 1, octets(2)]), 'PROTOCOL_ERROR'],
    ['HELLO of a stream', message([FrameType.HELLO, 0, 0, 1, octets(2)]), 'PROTOCOL_ERROR'],
    ['STATE of a stream', message([FrameType.STATE, 0, 0, 1, octets(2)]), 'PROTOCOL_ERROR'],
    ['a length of 2^32 - 1', Uint8Array.of(0x05, 0, 0, 0, 0, 0, 0, 1, 255, 255, 255, 255), 'PROTOCOL_ERROR'],
    ['a message of more than 1 MiB', octets(1024 * 1024 + 1), 'LIMIT'],
  ];
  test.each(breaches)('%s', (_what, batch, code) => {
    expect(outcome(batch)).toEqual({ frames: [], refused: code });
  });
});

test('an unknown optional frame is delivered for its receiver to skip', () => {
  expect(outcome(message([0xfe, 0xff, 1, 9, octets(5)])).frames).toMatchObject([{ type: 0xfe, sequence: 9 }]);
});

test('every truncation is refused with PROTOCOL_ERROR and nothing else', () => {
  const batch = message(
    [FrameType.OPEN, 1, 2, 1, octets(20)],
    [FrameType.DATA, 0, 2, 1, octets(30)],
    [FrameType.END, 1, 2, 1, encodeCode(1000, 'bye', 123)],
    [FrameType.GOAWAY, 0, 2, 0, encodeCode(2, 'drain', 200)],
  );
  const whole = new Set([12 + 20, 12 + 20 + 12 + 30, 12 + 20 + 12 + 30 + 12 + 5]);
  for (let size = 0; size < batch.length; size++) {
    expect(outcome(batch.subarray(0, size)).refused).toBe(whole.has(size) ? undefined : 'PROTOCOL_ERROR');
  }
});

test('credits and codes come back as they were given', () => {
  for (const credit of [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]) {
    expect(decodeCredit(encodeCredit(credit))).toBe(credit);
  }
  for (const reason of ['', 'plain', '\u{feff}marked', 'ü€😀']) {
    expect(decodeCode(encodeCode(0xfffe, reason, 200))).toEqual({ code: 0xfffe, reason });
  }
  expect(decodeCode(Uint8Array.of(0, 1, 0xff)).reason).toBe('\u{fffd}');
});
