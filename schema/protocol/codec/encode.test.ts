import { describe, expect, test } from 'vitest';

import { Batch, encodeCode, encodeCredit } from './encode.ts';
import { Flag, FrameType } from './frame.ts';

/** Octets from hex; white space and what follows `#` on a line is for the reader. */
function hex(text: string): Uint8Array {
  const digits = text.replaceAll(/#.*$/gm, '').replaceAll(/\s/g, '');
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function frames(...list: Parameters<Batch['add']>[]): Uint8Array {
  const batch = new Batch();
  for (const frame of list) batch.add(...frame);
  return batch.finish();
}

const utf8 = (text: string) => new TextEncoder().encode(text);

describe('golden octets', () => {
  test('OPEN of an http stream without a body', () => {
    expect(frames([FrameType.OPEN, Flag.FIN, 0x0102, 5, utf8('\u0001GET /api')])).toEqual(
      hex(`
        02                      # type OPEN
        01                      # flags FIN
        0102                    # incarnation 258
        00000005                # sequence 5
        00000009                # length 9
        01                      # kind http
        474554 20 2f617069      # "GET /api"
      `),
    );
  });

  test('the highest incarnation and sequence, big-endian and unsigned', () => {
    expect(frames([FrameType.ACCEPT, 0, 0xffff, 0xfffffffd])).toEqual(
      hex(`
        03                      # type ACCEPT
        00                      # flags
        ffff                    # incarnation 65535
        fffffffd                # sequence 2^32 - 3
        00000000                # length 0
      `),
    );
  });

  test('an answer in one message: HEAD, then DATA with FIN', () => {
    expect(frames([FrameType.HEAD, 0, 1, 1, utf8('200\na:b')], [FrameType.DATA, Flag.FIN, 1, 1, utf8('ok')])).toEqual(
      hex(`
        04 00 0001 00000001 00000007   # HEAD, incarnation 1, sequence 1, length 7
        323030 0a 61 3a 62             # "200\\na:b"
        05 01 0001 00000001 00000002   # DATA, FIN, length 2
        6f6b                           # "ok"
      `),
    );
  });

  test('a text message of an upgrade stream, and its close', () => {
    expect(
      frames(
        [FrameType.DATA, Flag.TEXT | Flag.MESSAGE_END, 0, 3, utf8('hi')],
        [FrameType.END, Flag.FIN, 0, 3, encodeCode(1000, 'bye', 123)],
      ),
    ).toEqual(
      hex(`
        05 06 0000 00000003 00000002   # DATA, MESSAGE_END and TEXT, sequence 3, length 2
        6869                           # "hi"
        06 01 0000 00000003 00000005   # END, FIN, length 5
        03e8 627965                    # 1000 "bye"
      `),
    );
  });

  test('RESET, WINDOW of the session and GOAWAY', () => {
    expect(
      frames(
        [FrameType.RESET, 0, 9, 7, encodeCode(1, 'gone', 200)],
        [FrameType.WINDOW, 0, 9, 0, encodeCredit(0x80000001)],
        [FrameType.GOAWAY, 0, 9, 0, encodeCode(2, '', 200)],
      ),
    ).toEqual(
      hex(`
        07 00 0009 00000007 00000006   # RESET, incarnation 9, sequence 7, length 6
        0001 676f6e65                  # CANCELLED "gone"
        08 00 0009 00000000 00000004   # WINDOW of the session
        80000001                       # 2^31 + 1
        09 00 0009 00000000 00000002   # GOAWAY
        0002                           # DRAIN
      `),
    );
  });
});

test('a reason is cut between characters, never inside one', () => {
  expect(encodeCode(3, 'aé', 2)).toEqual(hex('0003 61'));
  expect(encodeCode(3, '€€', 5)).toEqual(hex('0003 e282ac'));
  expect(encodeCode(3, '😀', 3)).toEqual(hex('0003'));
});

test('a batch copies nothing before it is finished, and says its size', () => {
  const payload = utf8('abc');
  const batch = new Batch();
  batch.add(FrameType.DATA, 0, 0, 1, payload);
  expect(batch.size).toBe(15);
  payload[0] = 0x78;
  expect(batch.finish().subarray(12)).toEqual(utf8('xbc'));
});
