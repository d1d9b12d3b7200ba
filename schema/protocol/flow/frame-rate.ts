import { ProtocolCode, ProtocolError } from '../codec/codes.ts';
import { FRAME_RATE } from '../limits.ts';
import { RateBudget } from './rate.ts';

/** Holds a peer to {@link FRAME_RATE}. */
export class FrameRate {
  readonly #now: (() => number) | null;
  #budget: RateBudget | null = null;

  /** @param now a clock in ms; null: no rate is known */
  constructor(now: (() => number) | null) {
    this.#now = now;
  }

  /**
   * Once a message, which is bounded itself: a clock for each frame would cost as much as what it guards against.
   * @throws ProtocolError LIMIT
   */
  count(frames: number): void {
    if (this.#now === null) return;
    const now = this.#now();
    this.#budget ??= new RateBudget(FRAME_RATE, now);
    if (!this.#budget.spend(frames, now)) throw new ProtocolError(ProtocolCode.LIMIT, 'too many frames a second');
  }
}
