import type { SessionLimits } from '#schema/protocol/limits.ts';
import { LAST_SEQUENCE } from '#schema/protocol/limits.ts';
import type { SessionRole } from '#schema/protocol/handler.ts';
import { LIMITS } from '../../conformance/support/link.ts';
import { Dice } from '../make/dice.ts';
import { flood, generate } from '../make/generate.ts';
import { countFrames, mutate, recut } from '../make/mutate.ts';
import { Peer } from '../make/peer.ts';
import { Fault } from '../judge/seen.ts';
import { Subject, type Op, type SubjectOptions } from './subject.ts';

/** Frames of one case at most; most end before, with a breach. */
const FRAMES_PER_CASE = 600;

/** Messages of earlier cases that are kept to be sent again, out of place. */
const REMEMBERED = 64;

/** Limits that HELLO may settle: the smallest, those of the other tests, and windows that no case fills. */
const SETTLED: readonly [SessionLimits, SessionLimits, SessionLimits, SessionLimits] = [
  { streamWindow: 1024, sessionWindow: 1024, maxStreams: 4 },
  { streamWindow: 4096, sessionWindow: 16_384, maxStreams: 8 },
  LIMITS,
  { streamWindow: 512 * 1024, sessionWindow: 4 * 1024 * 1024, maxStreams: 16 },
];

/** What an owner does, as often as it is in the list. */
const ACTS = ['head', 'head', 'write', 'write', 'consume', 'consume', 'end', 'accept', 'reset'] as const;

/** One life of a session, and what became of it. */
export interface Played {
  frames: number;
  /** The options and the ops that play it again. */
  options: SubjectOptions;
  ops: Op[];
  fault: string | null;
  /** With which code the session ended its life, or `none`. */
  end: string;
}

/** Real work between a session and an honest peer, whose messages are spoiled now and then, among others that are made to fit or just not to. */
export function playCase(role: SessionRole, seed: number, memory: Uint8Array<ArrayBuffer>[]): Played {
  const dice = new Dice(seed);
  const options: SubjectOptions = {
    role,
    local: dice.pick(SETTLED),
    peer: dice.pick(SETTLED),
    incarnation: dice.pick([0, 1, 0xffff]),
    lastSequence: role === 'plane' && dice.chance(0.05) ? LAST_SEQUENCE - 2 * dice.below(20) : 0,
    salt: dice.below(2 ** 31),
    clocked: dice.chance(0.8),
  };
  const subject = new Subject(options);
  const { referee } = subject;
  const other = role === 'plane' ? 'agent' : 'plane';
  const peer = new Peer({ ...options, role: other, local: options.peer, peer: options.local });
  const played: Played = { frames: 0, options, ops: [], fault: null, end: 'none' };
  const play = (op: Op): void => {
    played.ops.push(op);
    subject.play(op);
    for (const message of subject.sent.splice(0)) if (!peer.ended) peer.session.receive(message);
  };
  const receive = (message: Uint8Array<ArrayBuffer>): void => {
    played.frames += countFrames(message);
    play({ op: 'receive', message });
  };
  try {
    if (dice.chance(0.97)) play({ op: 'settle' });
    // Some lives pull seldom: what waits then is the peer's doing.
    const lazy = dice.chance(0.1);
    // An honest peer does not know what others have said in its name, and is soon in the wrong: so most lives hear one or the other.
    const made = dice.pick([0.01, 0.6]);
    while (played.frames < FRAMES_PER_CASE && !referee.ended) {
      const at = dice.next();
      if (at < 0.00001) for (let i = 0; i < 5 && !referee.ended; i++) receive(flood(referee, dice));
      else if (at < made) receive(generate(referee, dice));
      else if (at < 0.6) honest(peer, dice, memory, receive);
      else if (at < 0.6005 && memory.length > 0) receive(dice.pick(memory) ?? new Uint8Array(0));
      else if (at < 0.9) play(anOp(subject, dice));
      else play({ op: lazy && dice.chance(0.95) ? 'pull' : 'idle' });
    }
    for (let i = 0; i < 2; i++) receive(generate(referee, dice));
    subject.finish();
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    played.fault = error.message;
  }
  played.end = subject.end;
  return played;
}

/** The peer works, and what it sends arrives: as it is mostly, else spoiled, twice, late, or cut into single frames. */
function honest(
  peer: Peer,
  dice: Dice,
  memory: Uint8Array<ArrayBuffer>[],
  receive: (message: Uint8Array<ArrayBuffer>) => void,
): void {
  if (peer.ended) return;
  peer.act(dice);
  const message = peer.session.pull(100 + dice.size(70_000));
  if (message === null) return;
  const before = dice.pick(memory) ?? message;
  memory[dice.below(REMEMBERED)] = message;
  const at = dice.next();
  if (at < 0.015) receive(mutate(message, dice, before));
  else if (at < 0.017) {
    receive(message);
    receive(message);
  } else if (at < 0.02) {
    const late = peer.session.pull();
    if (late !== null) receive(late);
    receive(message);
  } else if (at < 0.15) for (const one of recut(message)) receive(one);
  else receive(message);
}

/** Something that the owners of the end under test do. */
function anOp(subject: Subject, dice: Dice): Op {
  const { referee } = subject;
  const at = dice.next();
  if (referee.role === 'plane' && at < 0.2) {
    return { op: 'open', kind: dice.pick([1, 2, 3, 4]), size: dice.size(5000), fin: dice.chance(0.3) };
  }
  if (at < 0.205) return { op: 'drain' };
  if (at < 0.3) return { op: 'wait', ms: dice.pick([0, 1, 5, 50, 11_000]) };
  if (at < 0.33) return { op: 'relieve' };
  const sequence = dice.pick([...(dice.chance(0.8) ? referee.lines : subject.owners).keys()]) ?? 1;
  const flags = dice.chance(0.2) ? dice.below(8) : 0;
  const op = dice.pick(ACTS);
  if (op === 'accept') return { op, sequence };
  if (op === 'reset') return dice.chance(0.3) ? { op, sequence } : { op: 'pull' };
  return { op, sequence, size: dice.size(op === 'write' ? 300_000 : 5000), flags };
}

/** Plays ops again; what went wrong. */
export function replay(options: SubjectOptions, ops: readonly Op[]): string | null {
  try {
    const subject = new Subject(options);
    for (const op of ops) subject.play(op);
    subject.finish();
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
