import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { codeName, ProtocolError } from '#schema/protocol/codec/codes.ts';
import { decodeFrames } from '#schema/protocol/codec/decode.ts';
import { Batch } from '#schema/protocol/codec/encode.ts';
import { FrameType } from '#schema/protocol/codec/frame.ts';
import { naiveDecode, naiveEncode, type NaiveFrame, type NaiveResult } from './support/naive.ts';

const octet = fc.integer({ min: 0, max: 255 });
/** Lengths around the bounds of the small types, and some of any size. */
const length = fc.oneof(fc.constantFrom(0, 1, 2, 3, 4, 5, 124, 125, 126, 201, 202, 203), fc.nat(300));
const frame: fc.Arbitrary<NaiveFrame> = fc.record({
  type: fc.oneof(
    { weight: 20, arbitrary: fc.constantFrom(...Object.values(FrameType)) },
    { weight: 1, arbitrary: octet },
  ),
  flags: octet,
  incarnation: fc.nat(0xffff),
  sequence: fc.oneof(fc.constantFrom(0, 1, 3, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff), fc.nat(100)),
  payload: length.chain((size) => fc.array(octet, { minLength: size, maxLength: size })),
});

/** A frame of every type that its rule allows. */
const allowed = frame.map((any): NaiveFrame => {
  const bounds: Record<number, [min: number, max: number]> = {
    [FrameType.HELLO]: [2, 4096],
    [FrameType.OPEN]: [1, 1000],
    [FrameType.ACCEPT]: [0, 0],
    [FrameType.HEAD]: [3, 1000],
    [FrameType.END]: [2, 125],
    [FrameType.RESET]: [2, 202],
    [FrameType.WINDOW]: [4, 4],
    [FrameType.GOAWAY]: [2, 202],
  };
  const type = any.type < 0x80 && bounds[any.type] === undefined ? FrameType.DATA : any.type;
  const [min, max] = bounds[type] ?? [0, 65_536];
  const payload = [
    ...any.payload.slice(0, max),
    ...Array.from({ length: Math.max(0, min - any.payload.length) }, () => 7),
  ];
  const session = type === FrameType.HELLO || type === FrameType.GOAWAY || type === FrameType.STATE;
  return { ...any, type, payload, sequence: session ? 0 : any.sequence || 1 };
});

function encode(frames: NaiveFrame[]): Uint8Array {
  const batch = new Batch();
  for (const f of frames) batch.add(f.type, f.flags, f.incarnation, f.sequence, Uint8Array.from(f.payload));
  return batch.finish();
}

function decode(message: Uint8Array): NaiveResult | { refused: string } {
  const frames: NaiveFrame[] = [];
  try {
    decodeFrames(message, (f) => frames.push({ ...f, payload: [...f.payload] }));
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return { refused: codeName(error.code) };
  }
  return { frames };
}

describe('the codec and its naive twin', () => {
  test('encode to the same octets', () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 8 }), (frames) => {
        expect(encode(frames)).toEqual(naiveEncode(frames));
      }),
    );
  });

  test('decode allowed frames to what was encoded', () => {
    fc.assert(
      fc.property(fc.array(allowed, { minLength: 1, maxLength: 8 }), (frames) => {
        expect(decode(encode(frames))).toEqual({ frames });
        expect(naiveDecode(encode(frames))).toEqual({ frames });
      }),
    );
  });

  test('agree on frames of any shape, refusals with their codes included', () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 4 }), (frames) => {
        const message = encode(frames);
        expect(decode(message)).toEqual(naiveDecode(message));
      }),
      { numRuns: 500 },
    );
  });

  test('agree on allowed messages with one octet changed, and on noise', () => {
    const mutated = fc
      .tuple(fc.array(allowed, { minLength: 1, maxLength: 3 }), fc.nat(), octet)
      .map(([frames, at, value]) => {
        const message = encode(frames);
        message[at % message.length] = value;
        return message;
      });
    const noise = fc.uint8Array({ maxLength: 64 });
    fc.assert(
      fc.property(fc.oneof(mutated, noise), (message) => {
        expect(decode(message)).toEqual(naiveDecode(message));
      }),
      { numRuns: 1000 },
    );
  });

  test('agree on payloads one octet past every bound, and on the largest that are allowed', () => {
    const bounds: [type: number, length: number][] = [
      [FrameType.HELLO, 4096],
      [FrameType.OPEN, 131_073],
      [FrameType.HEAD, 131_072],
      [FrameType.DATA, 65_536],
      [FrameType.END, 125],
      [FrameType.RESET, 202],
      [FrameType.GOAWAY, 202],
      [FrameType.STATE, 65_536],
      [0xfe, 65_536],
    ];
    for (const [type, size] of bounds) {
      const sequence = [FrameType.HELLO, FrameType.GOAWAY, FrameType.STATE].some((t) => t === type) ? 0 : 1;
      for (const [more, outcome] of [
        [0, 'frames'],
        [1, 'refused'],
      ] as const) {
        const payload = Array.from({ length: size + more }, () => 0x20);
        const message = encode([{ type, flags: 0, incarnation: 1, sequence, payload }]);
        expect(Object.keys(decode(message))).toEqual([outcome]);
        expect(Object.keys(naiveDecode(message))).toEqual([outcome]);
      }
    }
  });

  test('refuse every truncation of a message: nothing but whole frames is taken', () => {
    fc.assert(
      fc.property(fc.array(allowed, { minLength: 1, maxLength: 3 }), (frames) => {
        const message = encode(frames);
        const ends = new Set(frames.map((_, i) => encode(frames.slice(0, i + 1)).length));
        for (let size = 0; size < message.length; size++) {
          const result = decode(message.subarray(0, size));
          if (!ends.has(size)) expect(result).toEqual({ refused: 'PROTOCOL_ERROR' });
        }
      }),
      { numRuns: 50 },
    );
  });

  test('refuse a message of more than a mebibyte before they read it', () => {
    const message = new Uint8Array(1024 * 1024 + 1);
    expect(decode(message)).toEqual({ refused: 'LIMIT' });
    expect(naiveDecode(message)).toEqual({ refused: 'LIMIT' });
  });
});
