import {
  GROW_WITHIN_ROUND_TRIPS,
  LEAST_ROUND_TRIP_MS,
  MAX_STREAM_WINDOW,
  SHRINK_AFTER_ROUND_TRIPS,
} from '../limits.ts';

/**
 * What the stream windows of one receiver share: a clock, the round trip, and the room that growing is paid from (README "Credit").
 *
 * A window is what holds a sender up when all of it goes by within about a round trip: then it doubles. Where the reader or the line is slower than that, a larger
 * one would only fill memory, and lengthen the queue that small streams stand in.
 */
export class Tuning {
  readonly now: () => number;
  #room: number;
  /** The least that was seen: the others were longer for some other reason. */
  #roundTripMs = Number.POSITIVE_INFINITY;

  /** @param now ms, from any beginning. @param room octets by which all windows together may grow. @param before of the incarnation before: the line is the same. */
  constructor(now: () => number, room: number, before: Tuning | null = null) {
    this.now = now;
    this.#room = room;
    if (before !== null) this.#roundTripMs = before.#roundTripMs;
  }

  /** Octets by which windows may still grow. */
  get room(): number {
    return this.#room;
  }

  /** An answer came this long after its question. */
  sample(ms: number): void {
    this.#roundTripMs = Math.min(this.#roundTripMs, Math.max(ms, LEAST_ROUND_TRIP_MS));
  }

  /** Whether so much time has passed that the window is larger than its reader needs. */
  isSlow(since: number): boolean {
    return this.#roundTrips(since) > SHRINK_AFTER_ROUND_TRIPS;
  }

  /**
   * What a window of `size` should become after it, or a part of it if {@link Tuning.isSlow}, went by since `since`. What it grows by is taken from the room, at most
   * half of what is left, so that the first to ask cannot take all; what it shrinks by is given back by {@link Tuning.give} as it does.
   */
  judge(size: number, least: number, since: number): number {
    const roundTrips = this.#roundTrips(since);
    if (roundTrips <= GROW_WITHIN_ROUND_TRIPS) {
      const growth = Math.max(0, Math.min(size, MAX_STREAM_WINDOW - size, Math.floor(this.#room / 2)));
      this.#room -= growth;
      return size + growth;
    }
    return roundTrips <= SHRINK_AFTER_ROUND_TRIPS ? size : Math.max(least, Math.floor(size / 2));
  }

  /** Takes back what windows do not use any more. */
  give(bytes: number): void {
    this.#room += bytes;
  }

  /** Between the two marks where the round trip is not known: nothing changes. */
  #roundTrips(since: number): number {
    if (this.#roundTripMs === Number.POSITIVE_INFINITY) return SHRINK_AFTER_ROUND_TRIPS;
    return (this.now() - since) / this.#roundTripMs;
  }
}
