import { ProtocolCode } from '#schema/protocol/codec/codes.ts';
import { Flag, StreamKind } from '#schema/protocol/codec/frame.ts';
import type { SessionLimits } from '#schema/protocol/limits.ts';
import type { SessionRole } from '#schema/protocol/handler.ts';
import { Session } from '#schema/protocol/session.ts';
import type { Stream, StreamHandler } from '#schema/protocol/flow/stream.ts';
import type { Dice } from './dice.ts';
import { zeros } from './zeros.ts';

/** One stream of the honest peer's. */
interface Work extends StreamHandler {
  stream: Stream | null;
  held: number;
  headed: boolean;
  waiting: boolean;
}

/** Heads that the peer gives; octets of no meaning where the session alone is tested. */
export type HeadOf = (dice: Dice) => Uint8Array;
export const MEANINGLESS: HeadOf = (dice) => zeros(3 + dice.size(5000));

/** The other end of a subject: a real session that does real work, whose messages are what is mutated. */
export class Peer {
  readonly session: Session;
  /** What it receives has made it end its session: it says no more. */
  ended = false;
  readonly #role: SessionRole;
  readonly #works = new Set<Work>();
  readonly #headOf: HeadOf;

  constructor({
    headOf = MEANINGLESS,
    ...options
  }: {
    role: SessionRole;
    local: SessionLimits;
    peer: SessionLimits;
    incarnation: number;
    lastSequence: number;
    headOf?: HeadOf;
  }) {
    this.#headOf = headOf;
    this.#role = options.role;
    const end = (): void => {
      this.ended = true;
    };
    this.session = new Session({
      ...options,
      handler: {
        onOpen: (stream) => {
          const work = this.#work();
          work.stream = stream;
          stream.handler = work;
        },
        onHello: () => undefined,
        onGoaway: () => undefined,
        onPending: () => undefined,
        onError: end,
      },
    });
    this.session.settle(options.peer);
  }

  /** Does one thing that an honest end does. */
  act(dice: Dice): void {
    if (this.#role === 'plane' && (this.#works.size < 3 || dice.chance(0.1))) this.#open(dice);
    const work = dice.pick([...this.#works]);
    const stream = work?.stream;
    if (work === undefined || stream === null || stream === undefined) return;
    if (stream.done && work.held === 0) {
      this.#works.delete(work);
      return;
    }
    const acts = [
      () => this.#write(work, stream, dice),
      () => this.#write(work, stream, dice),
      () => {
        stream.consumed(work.held);
        work.held = 0;
      },
      () => dice.chance(0.3) && (this.#role === 'plane' || work.headed) && !stream.done && stream.end(end(dice)),
      () => dice.chance(0.2) && stream.reset(ProtocolCode.CANCELLED, 'why not'),
      () => dice.chance(0.5) && this.#role === 'agent' && !stream.done && stream.accept(),
    ] as const;
    dice.pick(acts)();
  }

  #open(dice: Dice): void {
    const work = this.#work();
    const kind = dice.chance(0.7) ? StreamKind.HTTP : StreamKind.UPGRADE;
    try {
      work.stream = this.session.open(kind, this.#headOf(dice), dice.chance(0.3), work);
    } catch {
      this.#works.delete(work);
    }
  }

  #write(work: Work, stream: Stream, dice: Dice): void {
    if (stream.done || work.waiting) return;
    if (this.#role === 'agent' && !work.headed) {
      work.headed = true;
      stream.head(this.#headOf(dice), dice.chance(0.2));
      return;
    }
    work.waiting = !stream.write(zeros(dice.size(100_000)), dice.pick([0, 0, Flag.MESSAGE_END, Flag.TEXT]));
  }

  #work(): Work {
    const works = this.#works;
    const work: Work = {
      stream: null,
      held: 0,
      headed: false,
      waiting: false,
      onData: ({ byteLength }) => {
        work.held += byteLength;
      },
      onEnd: () => undefined,
      onReset: () => works.delete(work),
      onWritable: () => {
        work.waiting = false;
      },
    };
    works.add(work);
    return work;
  }
}

function end(dice: Dice): Uint8Array {
  return dice.chance(0.7) ? zeros(0) : zeros(2 + dice.below(124));
}
