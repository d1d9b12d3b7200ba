import { FrameType } from '#schema/protocol/codec/frame.ts';
import { naiveRead } from '../../conformance/support/naive.ts';
import { replay, type Played } from './case.ts';
import type { Op } from './subject.ts';

/** Plays of a case that looking for a shorter one may take. */
const MOST_REPLAYS = 3000;

/** Octets of a payload that are printed. */
const SHOWN_BYTES = 48;

/** The same fault, whatever its numbers are. */
const kindOf = (fault: string): string => fault.replaceAll(/\d+/g, 'n').split('\n')[0] ?? '';

/** The ops without those that the fault does not need: blocks of half the length at first, then of a quarter, down to single ones. */
function shrink({ options, ops, fault }: Played): { ops: Op[]; fault: string } {
  const kind = kindOf(fault ?? '');
  let shortest = { ops, fault: fault ?? '' };
  let left = MOST_REPLAYS;
  for (let size = Math.ceil(ops.length / 2); size >= 1 && left > 0; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = shortest.ops.length - size; at >= 0 && left > 0; at -= size) {
      const fewer = shortest.ops.toSpliced(at, size);
      const again = replay(options, fewer);
      left--;
      if (again !== null && kindOf(again) === kind) shortest = { ops: fewer, fault: again };
    }
  }
  return shortest;
}

const hex = (octets: Uint8Array): string => Array.from(octets, (octet) => octet.toString(16).padStart(2, '0')).join('');

const NAMES = new Map<number, string>(Object.entries(FrameType).map(([name, type]) => [type, name]));

function describe(op: Op): string {
  if (op.op !== 'receive') return JSON.stringify(op);
  const { frames, refused } = naiveRead(op.message);
  const list = frames.slice(0, 20).map(({ type, flags, incarnation, sequence, payload }) => {
    const end = payload.length > SHOWN_BYTES ? `… (${payload.length})` : '';
    return `${NAMES.get(type) ?? type} flags=${flags} inc=${incarnation} seq=${sequence} ${hex(payload.subarray(0, SHOWN_BYTES))}${end}`;
  });
  if (frames.length > list.length) list.push(`… ${frames.length} frames`);
  if (refused !== null) list.push(`then ${refused}: ${hex(op.message.subarray(0, 2 * SHOWN_BYTES))}`);
  return `receive ${list.join(' | ')}`;
}

/** What went wrong, for a person: the seed, and the shortest way there that was found. */
export function report(played: Played, how: string): string {
  const { ops, fault } = shrink(played);
  const { role, local, peer, incarnation, lastSequence } = played.options;
  return [
    `${fault} (${how})`,
    JSON.stringify({ role, local, peer, incarnation, lastSequence }),
    ...ops.map((op, i) => `${i + 1}. ${describe(op)}`),
  ].join('\n');
}
