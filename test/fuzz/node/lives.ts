import { TransformStream } from 'node:stream/web';
import { afterEach, beforeEach, expect, vi } from 'vitest';
import { SEED } from '../play/budget.ts';
import { Dice } from '../make/dice.ts';
import { fault } from '../judge/seen.ts';
import { turn } from './turn.ts';

/** Frames of one tunnel's life at most. */
const FRAMES_PER_LIFE = 300;

/** One tunnel from its socket's opening to its end. */
export interface Life {
  /** Until it is settled; false: it will not be. */
  begin(): Promise<boolean>;
  /** Something happens. @returns how many frames came. */
  step(): number;
  readonly over: boolean;
  /** Ends it, and looks for what is left. */
  finish(): Promise<void>;
  /** Requests that were answered. */
  readonly answered: number;
  readonly faults: string[];
}

/** What a tunnel's surroundings have that a test must control, for each test of the file. */
export function stubPlatform(): void {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
    // The plane logs what goes wrong inside it; nothing that comes from outside may be that.
    vi.spyOn(console, 'log').mockImplementation((line) => fault(String(line)));
    // The two classes of workerd's that an exchange asks for; the second fails where the declared length is not met.
    vi.stubGlobal('IdentityTransformStream', TransformStream);
    vi.stubGlobal('FixedLengthStream', FixedLength);
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.restoreAllMocks();
    vi.unstubAllGlobals();
  });
}

class FixedLength extends TransformStream<Uint8Array, Uint8Array> {
  constructor(length: number) {
    let left = length;
    super({
      transform: (chunk, controller) => {
        left -= chunk.byteLength;
        if (left < 0) throw new Error('more than the declared length');
        controller.enqueue(chunk);
      },
      flush: () => {
        if (left > 0) throw new Error('less than the declared length');
      },
    });
  }
}

/** One life after another until `frames` came. @returns how many requests were answered. */
export async function live(
  frames: number,
  make: (dice: Dice, memory: Uint8Array<ArrayBuffer>[]) => Life,
): Promise<number> {
  const memory: Uint8Array<ArrayBuffer>[] = [];
  let answered = 0;
  for (let taken = 0, i = 0; taken < frames; i++) {
    const life = make(new Dice(SEED + i), memory);
    try {
      if (await life.begin()) {
        for (let had = 0; had < FRAMES_PER_LIFE && !life.over;) {
          const came = life.step();
          taken += came;
          had += Math.max(1, came);
          // Some turns are long, and bring several messages.
          if (i % 2 === 0 || had % 4 === 0) await turn();
        }
      } else taken += 1;
      await life.finish();
    } catch (error) {
      life.faults.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
    answered += life.answered;
    if (life.faults.length > 0) expect.fail(`${life.faults.join('; ')} (OUTRIDER_FUZZ_SEED=${SEED}, life ${i})`);
  }
  return answered;
}
