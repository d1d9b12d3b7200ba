/** First retries fall within this, ms: a runtime update of the plane cuts every tunnel at once and is over in a moment. */
const BASE_MS = 1_000;

/** No wait is longer, ms. */
const CAP_MS = 30_000;

/**
 * Where nothing listens, ms: a dial costs the plane nothing there, and once it is back no agent should be missing for longer than three seconds, one of which a dial over a poor line takes. The dials that then
 * come within this time are no more than a deploy brings, which cuts every tunnel at once.
 */
const AWAY_MS = 2_000;

/** … or this part of the time that was waited so far, so that a long outage costs few dials and is made longer by a twentieth at most. */
const AWAY_PART = 1 / 20;

/** A tunnel that was settled for this long proves that the plane is well, ms; one that dies sooner may be dying of us. */
const LIVED_MS = 10_000;

/**
 * So many tunnels in a row may die soon before the waits grow. A network that cuts what it carries every few seconds must not keep an agent away for half a minute; tunnels that
 * die of us must not be dialled at this pace for ever.
 */
const PATIENT_DEATHS = 20;

/** How the last attempt ended. */
export type Ended =
  /** The tunnel was settled, for so long, and broke. */
  | { how: 'lived'; ms: number }
  /** Nothing listens at the plane's address, or there is no way to it. */
  | { how: 'away' }
  /** The plane, or something in front of it, was reached, and no tunnel came to be: it may have too much to do. */
  | { how: 'failed' }
  /** The plane does not accept the agent's credential, token or key: trying sooner does not help. */
  | { how: 'refused' };

/** When to dial again: full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter"), so that many agents do not come as one. */
export class ReconnectPolicy {
  readonly #random: () => number;
  #failures = 0;
  /** Tunnels in a row that died soon. */
  #died = 0;
  /** What was waited since the plane was last reached, ms. */
  #waited = 0;

  /** @param random in [0, 1). */
  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  /** The wait before the next attempt, ms. */
  next(ended: Ended): number {
    if (ended.how === 'away') return this.#nextAway();
    this.#waited = 0;
    if (ended.how === 'refused') return CAP_MS / 2 + (this.#random() * CAP_MS) / 2;
    if (ended.how === 'lived') return this.#nextLived(ended.ms);
    const ceiling = Math.min(CAP_MS, BASE_MS * 2 ** Math.min(this.#failures, 16));
    this.#failures++;
    return this.#random() * ceiling;
  }

  /** A tunnel that was settled says that what failed before is over, however soon it died: only its own kind counts. */
  #nextLived(ms: number): number {
    this.#failures = 0;
    this.#died = ms >= LIVED_MS ? 0 : this.#died + 1;
    const over = Math.max(0, this.#died - PATIENT_DEATHS);
    const ceiling = this.#died <= 1 ? BASE_MS : Math.min(CAP_MS, AWAY_MS * 2 ** Math.min(over, 16));
    return this.#random() * ceiling;
  }

  #nextAway(): number {
    const least = this.#waited === 0 ? BASE_MS : AWAY_MS;
    const wait = this.#random() * Math.min(CAP_MS, Math.max(least, this.#waited * AWAY_PART));
    this.#waited += wait;
    return wait;
  }
}
