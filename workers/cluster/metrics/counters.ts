import * as z from 'zod';
import type { ErrorCode } from '#schema/errors.ts';
import {
  BYTES,
  DELAY,
  DELAY_BUCKETS,
  DURATION,
  DURATION_BUCKETS,
  MESSAGES,
  outcomeOfRefusal,
  outcomeOfStatus,
  REFUSALS,
  resetSlot,
  SLOTS,
  TUNNELS,
  type Outcome,
} from './series.ts';

/** What survives a hibernation, in the attachment of an agent's socket; of a build with other series it is worth nothing. */
export const Counted = z.object({
  /** When counting began at zero, epoch ms. */
  since: z.number(),
  values: z.instanceof(Float64Array<ArrayBuffer>).refine((values) => values.length === SLOTS),
});
export type Counted = z.infer<typeof Counted>;

/** The counters of one cluster. Counting adds to a number and does nothing else: it is on the way of every request. */
export class Counters {
  #since: number;
  readonly #values = new Float64Array(SLOTS);
  /** Something was counted since this was last set to false. */
  changed = false;

  constructor(now: number) {
    this.#since = now;
  }

  /** Goes on from what was kept. */
  restore({ since, values }: Counted): void {
    this.#since = since;
    this.#values.set(values);
  }

  /** The numbers as they stand; a view, to be copied before the next turn. */
  get counted(): Counted {
    return { since: this.#since, values: this.#values };
  }

  sent(bytes: number): void {
    this.#add(BYTES.sent, bytes);
    this.#add(MESSAGES.sent, 1);
  }

  received(bytes: number): void {
    this.#add(BYTES.received, bytes);
    this.#add(MESSAGES.received, 1);
  }

  /** How long what a message carries had waited, ms. */
  delayed(milliseconds: number): void {
    this.#observe(DELAY[''], DELAY_BUCKETS, milliseconds);
  }

  reset(code: number, by: 'plane' | 'agent'): void {
    this.#add(resetSlot(code, by), 1);
  }

  tunnel(change: keyof typeof TUNNELS): void {
    this.#add(TUNNELS[change], 1);
  }

  /** The cluster's answer began, so many ms after its request. */
  answered(status: number, milliseconds: number): void {
    this.#ended(outcomeOfStatus(status), milliseconds);
  }

  /** The plane answered; `cancelled`: for nobody, its client has gone. */
  refused(code: ErrorCode, cancelled: boolean, milliseconds: number): void {
    if (!cancelled) this.#add(REFUSALS[code], 1);
    this.#ended(cancelled ? 'cancelled' : outcomeOfRefusal(code), milliseconds);
  }

  #ended(outcome: Outcome, milliseconds: number): void {
    this.#observe(DURATION[outcome], DURATION_BUCKETS, milliseconds);
  }

  #observe(slot: number, buckets: readonly number[], milliseconds: number): void {
    const seconds = milliseconds / 1000;
    let bucket = 0;
    while (bucket < buckets.length && seconds > (buckets[bucket] ?? 0)) bucket++;
    this.#add(slot + bucket, 1);
    this.#add(slot + buckets.length + 1, seconds);
  }

  #add(slot: number, amount: number): void {
    this.#values[slot] = (this.#values[slot] ?? 0) + amount;
    this.changed = true;
  }
}
