import { Flag, FRAME_HEADER_BYTES, FrameType } from '#schema/protocol/codec/frame.ts';
import { MAX_CONTROL_FRAMES, MAX_DATA_BYTES, MAX_MESSAGE_BYTES } from '#schema/protocol/limits.ts';
import { ProtocolCode } from '#schema/protocol/codec/codes.ts';
import { encodeCode, encodeCredit } from '#schema/protocol/codec/encode.ts';
import { frames } from '../../conformance/support/link.ts';
import type { Dice } from './dice.ts';
import { noise } from './mutate.ts';
import { MEANINGLESS, type HeadOf } from './peer.ts';
import type { Referee } from '../judge/referee.ts';
import type { Line } from '../judge/seen.ts';
import { zeros } from './zeros.ts';

type FrameArguments = Parameters<typeof frames>[number];

/** Credit may not pass this (README "Credit"). */
const MOST_CREDIT = 0x7fff_ffff;

/** A message made for the state that the end is in: what it must take, and what lies just past it. */
export function generate(
  referee: Referee,
  dice: Dice,
  headOf: HeadOf = MEANINGLESS,
  breaches = 0.004,
): Uint8Array<ArrayBuffer> {
  const at = dice.next();
  if (at < breaches / 4) return noise(dice, dice.size(200));
  if (at > 1 - breaches / 80) return new Uint8Array(MAX_MESSAGE_BYTES + 1).fill(0xff);
  const count = dice.chance(0.7) ? 1 : 2 + dice.below(5);
  // Of each stream one frame that changes what may follow, and one OPEN: the referee knows no more before the message has come.
  const used = new Set<number>();
  return frames(...Array.from({ length: count }, () => generateFrame(referee, dice, used, headOf, breaches)));
}

function generateFrame(
  referee: Referee,
  dice: Dice,
  used: Set<number>,
  headOf: HeadOf,
  breaches: number,
): FrameArguments {
  const { incarnation } = referee;
  const line = dice.pick([...referee.lines.values()].filter(({ opened }) => opened));
  const at = dice.next();
  // Seldom, since most of these end the session.
  if (at < breaches) return breach(referee, dice);
  if (at < 0.05) return [FrameType.WINDOW, 0, incarnation, 0, encodeCredit(1 + dice.size(100_000))];
  if (at < 0.06)
    return [0x80 + dice.below(128), dice.below(256), incarnation, at < 0.055 ? 0 : 1, noise(dice, dice.size(100))];
  if (at < 0.1) return elsewhere(referee, dice);
  if (referee.role === 'agent' && (at < 0.16 || line === undefined) && !used.has(0)) {
    used.add(0);
    return open(referee, dice, headOf);
  }
  if (line === undefined) return [FrameType.STATE, 0, incarnation, 0];
  const { sequence } = line;
  if (at < 0.3 || used.has(sequence))
    return [FrameType.WINDOW, 0, incarnation, sequence, encodeCredit(1 + dice.size(50_000))];
  used.add(sequence);
  if (at < 0.34)
    return [FrameType.RESET, 0, incarnation, sequence, encodeCode(1 + dice.below(12), 'r'.repeat(dice.below(9)), 200)];
  return next(line, referee, dice, headOf);
}

/** What a peer would send next on a stream. */
function next(line: Line, { role, incarnation, creditIn }: Referee, dice: Dice, headOf: HeadOf): FrameArguments {
  const { sequence } = line;
  const fin = dice.chance(0.1) ? Flag.FIN : 0;
  if (role === 'plane' && !line.head) {
    if (!line.accepted && dice.chance(0.3)) return [FrameType.ACCEPT, 0, incarnation, sequence];
    return [FrameType.HEAD, fin, incarnation, sequence, headOf(dice)];
  }
  if (line.finIn) return [FrameType.WINDOW, 0, incarnation, sequence, encodeCredit(1 + dice.size(5000))];
  if (dice.chance(0.05))
    return [FrameType.END, Flag.FIN, incarnation, sequence, zeros(dice.chance(0.5) ? 0 : 2 + dice.below(124))];
  const room = Math.max(0, Math.min(line.creditIn, creditIn, MAX_DATA_BYTES));
  return [
    FrameType.DATA,
    fin | (dice.chance(0.3) ? dice.below(256) & ~1 : 0),
    incarnation,
    sequence,
    zeros(dice.chance(0.05) ? room : dice.size(room)),
  ];
}

function open(referee: Referee, dice: Dice, headOf: HeadOf): FrameArguments {
  const sequence = referee.lastOnWire === 0 ? 1 : referee.lastOnWire + 2;
  const jump = dice.chance(0.1) ? 2 * dice.below(5) : 0;
  const payload = Uint8Array.of(1, ...headOf(dice));
  payload[0] = dice.chance(0.95) ? 1 + dice.below(4) : dice.below(256);
  return [FrameType.OPEN, dice.chance(0.3) ? Flag.FIN : 0, referee.incarnation, sequence + jump, payload];
}

/** Allowed, and for nobody: streams that are done, other incarnations, STATE; and seldom the next incarnation, or the end. */
function elsewhere(referee: Referee, dice: Dice): FrameArguments {
  const { incarnation, role, lastOnWire, creditIn } = referee;
  const past = (incarnation + 0xffff) & 0xffff;
  const at = dice.next();
  if (role === 'agent' && at < 0.1) {
    return [
      FrameType.OPEN,
      dice.below(2),
      dice.chance(0.3) ? past : (incarnation + 1) & 0xffff,
      1 + 2 * dice.below(3),
      Uint8Array.of(1 + dice.below(4)),
    ];
  }
  const done = 1 + 2 * dice.below(Math.max(1, lastOnWire / 2));
  if (at < 0.4 && done <= lastOnWire && !referee.lines.has(done)) {
    if (dice.chance(0.3)) return [FrameType.RESET, 0, incarnation, done, zeros(2)];
    return [FrameType.DATA, 0, incarnation, done, zeros(dice.size(Math.max(0, Math.min(creditIn, MAX_DATA_BYTES))))];
  }
  if (at < 0.6) return [FrameType.DATA, 0, past, 1 + dice.below(9), zeros(dice.size(70_000) & 0xffff)];
  if (at < 0.7) return [FrameType.WINDOW, 0, past, dice.below(9), zeros(4)];
  if (at < 0.71)
    return [
      FrameType.GOAWAY,
      0,
      past,
      0,
      encodeCode(dice.pick([ProtocolCode.DRAIN, ProtocolCode.DRAIN, 1, 16, 999]), 'bye', 200),
    ];
  return [FrameType.STATE, 0, past, 0, noise(dice, dice.size(50))];
}

/** Just past what is allowed. */
function breach(referee: Referee, dice: Dice): FrameArguments {
  const { incarnation, lastOnWire, creditIn, creditOut } = referee;
  const line = dice.pick([...referee.lines.values()]);
  const sequence = line?.sequence ?? 1;
  const choices: (() => FrameArguments)[] = [
    () => [FrameType.DATA, 0, incarnation, sequence, zeros(MAX_DATA_BYTES + 1)],
    () => [
      FrameType.DATA,
      0,
      incarnation,
      sequence,
      zeros(Math.min(MAX_DATA_BYTES, Math.max(0, line?.creditIn ?? 0) + 1)),
    ],
    () => [FrameType.DATA, 0, incarnation, sequence, zeros(Math.min(MAX_DATA_BYTES, Math.max(0, creditIn) + 1))],
    () => [
      FrameType.WINDOW,
      0,
      incarnation,
      sequence,
      encodeCredit(MOST_CREDIT - (line?.creditOut ?? 0) + dice.below(2)),
    ],
    () => [FrameType.WINDOW, 0, incarnation, 0, encodeCredit(MOST_CREDIT - creditOut + dice.below(2))],
    () => [FrameType.WINDOW, 0, incarnation, dice.pick([0, sequence]), encodeCredit(0)],
    () => [dice.pick([5, 6, 7, 8]), 0, incarnation, lastOnWire + dice.pick([1, 2]), zeros(dice.pick([2, 4]))],
    () => [FrameType.OPEN, 0, incarnation, Math.max(1, lastOnWire - dice.pick([-1, 0, 2])), zeros(3)],
    () => [dice.pick([3, 4]), 0, incarnation, sequence, zeros(dice.pick([0, 3]))],
    () => [dice.pick([5, 6]), dice.below(2), incarnation, sequence],
    () => [
      dice.below(256),
      dice.below(256),
      incarnation,
      dice.pick([0, sequence, sequence + 1]),
      noise(dice, dice.size(300)),
    ],
    () => [FrameType.HELLO, 0, incarnation, 0, noise(dice, 2 + dice.size(100))],
  ];
  return dice.pick(choices)?.() ?? [0, 0, 0, 0];
}

/** More frames that must be answered than may wait, in a few messages: refused OPENs for an agent, and for a plane DATA that its owners take at once. */
export function flood(referee: Referee, dice: Dice): Uint8Array<ArrayBuffer> {
  const { incarnation, role, local } = referee;
  const first = referee.lastOnWire === 0 ? 1 : referee.lastOnWire + 2;
  if (role === 'agent') {
    const more = Math.floor(MAX_CONTROL_FRAMES * (0.3 + dice.next() * 0.3));
    return frames(
      ...Array.from({ length: more }, (_, i): FrameArguments => [
        FrameType.OPEN,
        0,
        incarnation,
        first + 2 * i,
        Uint8Array.of(99),
      ]),
    );
  }
  const line = dice.pick([...referee.lines.values()].filter(({ head, finIn }) => head && !finIn));
  // Each is reported, on the stream and on the session, where both windows are that small.
  const size = Math.min(512, Math.ceil(local.streamWindow / 4));
  if (line === undefined) return frames([FrameType.STATE, 0, incarnation, 0]);
  return frames(
    ...Array.from({ length: Math.floor(MAX_MESSAGE_BYTES / (size + FRAME_HEADER_BYTES)) }, (): FrameArguments => [
      FrameType.DATA,
      0,
      incarnation,
      line.sequence,
      zeros(size),
    ]),
  );
}
