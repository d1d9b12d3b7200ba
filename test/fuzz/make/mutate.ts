import { FRAME_HEADER_BYTES } from '#schema/protocol/codec/frame.ts';
import type { Dice } from './dice.ts';

type Message = Uint8Array<ArrayBuffer>;

/** Where the frames of a message begin, as far as it can be read. */
function starts(message: Message): number[] {
  const view = viewOf(message);
  const found: number[] = [];
  for (let at = 0; at + FRAME_HEADER_BYTES <= message.length;) {
    found.push(at);
    at += FRAME_HEADER_BYTES + view.getUint32(at + 8);
  }
  return found;
}

function viewOf(message: Message): DataView {
  return new DataView(message.buffer, message.byteOffset, message.byteLength);
}

function join(...parts: Message[]): Message {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export function noise(dice: Dice, size: number): Message {
  return Uint8Array.from({ length: size }, () => dice.below(256));
}

/** Numbers at which a 32-bit field is judged differently. */
const EDGES = [0, 1, 2, 0x7fff_fffe, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff] as const;

/** Ways to spoil a copy of a message; `other` was sent at another time. */
const MUTATIONS: ((message: Message, dice: Dice, other: Message) => Message)[] = [
  // One bit, one octet.
  (message, dice) => {
    const at = dice.below(message.length);
    message[at] = (message[at] ?? 0) ^ (1 << dice.below(8));
    return message;
  },
  (message, dice) => {
    message[dice.below(Math.min(message.length, 64))] = dice.below(256);
    return message;
  },
  // Too short, too long.
  (message, dice) => message.slice(0, dice.below(message.length)),
  (message, dice) => join(message, noise(dice, 1 + dice.below(30))),
  // Spliced: the frames of two messages, cut at frames or anywhere.
  (message, dice, other) => join(message.slice(0, dice.pick(starts(message)) ?? 0), other),
  (message, dice, other) => join(message.slice(0, dice.below(message.length)), other.slice(dice.below(other.length))),
  // A frame twice, or not at all.
  (message, dice) => {
    const [at, end] = frame(message, dice);
    return join(message.slice(0, end), message.slice(at));
  },
  (message, dice) => {
    const [at, end] = frame(message, dice);
    return join(message.slice(0, at), message.slice(end));
  },
  // Lies of the header: type, flags, incarnation, sequence, length.
  (message, dice) => lie(message, dice, (view, at) => view.setUint8(at, 1 + dice.below(10))),
  (message, dice) => lie(message, dice, (view, at) => view.setUint8(at + 1, dice.below(8))),
  (message, dice) =>
    lie(message, dice, (view, at) => view.setUint16(at + 2, view.getUint16(at + 2) + dice.pick([1, 255]))),
  (message, dice) => lie(message, dice, (view, at) => view.setUint32(at + 4, near(view.getUint32(at + 4), dice))),
  (message, dice) => lie(message, dice, (view, at) => view.setUint32(at + 8, near(view.getUint32(at + 8), dice))),
  // What the payload says: a credit, a code, a kind.
  (message, dice) =>
    lie(message, dice, (view, at) => {
      if (at + FRAME_HEADER_BYTES + 4 <= view.byteLength)
        view.setUint32(at + FRAME_HEADER_BYTES, near(view.getUint32(at + FRAME_HEADER_BYTES), dice));
    }),
];

function frame(message: Message, dice: Dice): [at: number, end: number] {
  const at = dice.pick(starts(message)) ?? 0;
  const length = message.length >= at + FRAME_HEADER_BYTES ? viewOf(message).getUint32(at + 8) : 0;
  return [at, Math.min(message.length, at + FRAME_HEADER_BYTES + length)];
}

function lie(message: Message, dice: Dice, change: (view: DataView, at: number) => void): Message {
  const at = dice.pick(starts(message));
  if (at !== undefined) change(viewOf(message), at);
  return message;
}

function near(value: number, dice: Dice): number {
  if (dice.chance(0.3)) return dice.pick(EDGES);
  return (value + dice.pick([-2, -1, 1, 2, 4, 256])) >>> 0;
}

/** A spoiled copy of a message. */
export function mutate(message: Message, dice: Dice, other: Message): Message {
  let spoiled: Message = message.slice();
  do {
    if (spoiled.length === 0) return spoiled;
    const mutation = MUTATIONS[dice.below(MUTATIONS.length)];
    spoiled = mutation?.(spoiled, dice, other) ?? spoiled;
  } while (dice.chance(0.2));
  return spoiled;
}

/** A message cut at its frames: what arrives must mean the same however it is batched. */
export function recut(message: Message): Message[] {
  const at = starts(message);
  return at.map((start, i) => message.slice(start, at[i + 1] ?? message.length));
}

/** A flood of the same frame counts as this many. */
const COUNTED_FRAMES = 16;

/** Frames of a message; what cannot be read counts as one. */
export function countFrames(message: Message): number {
  return Math.min(Math.max(1, starts(message).length), COUNTED_FRAMES);
}
