import { DurableObject } from 'cloudflare:workers';
import { describeError, log } from '../log.ts';
import {
  overtakeVersion,
  pendingRemovals,
  pendingSnapshots,
  recordDelivery,
  recordRemoval,
} from '../store/rights/deliveries.ts';
import { BackOff, Failing } from './back-off.ts';
import { deliver, type ClusterControl, type Outcome } from './delivery.ts';
import { buildSnapshot } from './snapshot.ts';

/** How soon the alarm looks whether a change was committed whose author never came back, ms. With the delivery itself it stays below the goal of 5 s. */
const LOOK_AGAIN_MS = 1_500;

/** How long a change may take between its arming and its commit, ms: D1 ends a batch after 30 s. */
const COMMIT_MS = 35_000;

/** How soon a run that the database failed is tried again, ms: its stalls last seconds to a minute and a try is one query. */
const DATABASE_RETRY_MS = 5_000;

/** A run that is cut short, by a deploy or by the end of the process, is followed by another after this, ms: what it was delivering has no other alarm, and the goal is the same. */
const CUT_SHORT_MS = 1_500;

/** Keys of this object's storage: `change:<id>` → the moment (epoch ms) until which its commit is awaited; `failing` → {@link Failing}. */
const CHANGE = 'change:';
const FAILING = 'failing';

/** How a run ended; `database`: it could not be asked. */
type Ended = Outcome | 'database';

/**
 * Carries every change of access to the clusters that it touches (`design.md` §2 "Delivery"). A change is announced *before* its commit, which arms the alarm; so a Worker that
 * dies anywhere after that loses nothing. The entry point says where a cluster's object is.
 */
export abstract class AccessDispatcher extends DurableObject<Env> {
  /** The object of a cluster whose id is from the database. */
  protected abstract cluster(clusterId: string): Promise<ClusterControl>;

  #running: Promise<Ended> | null = null;
  #again = false;

  /** A change is about to be committed. Once this has returned, the change will be delivered, whatever becomes of its author. */
  async arm(change: string): Promise<void> {
    const now = Date.now();
    await this.ctx.storage.put(CHANGE + change, now + COMMIT_MS);
    await this.#wakeAt(now + LOOK_AGAIN_MS);
  }

  /** That change was committed: deliver now. */
  async kick(change: string): Promise<void> {
    await this.ctx.storage.delete(CHANGE + change);
    await this.#deliverAndRearm();
  }

  /** Looks what is wanting; armed anew as long as something is, or a commit may still come. */
  override async alarm(): Promise<void> {
    // First, because a run that is cut short must be followed by another.
    await this.ctx.storage.setAlarm(Date.now() + CUT_SHORT_MS);
    await this.#deliverAndRearm();
  }

  async #deliverAndRearm(): Promise<void> {
    const ended = await this.#deliver();
    const now = Date.now();
    const changes = await this.ctx.storage.list<number>({ prefix: CHANGE });
    const expired = [...changes].filter(([, until]) => until <= now).map(([key]) => key);
    if (expired.length > 0) await this.ctx.storage.delete(expired);
    const look = expired.length < changes.size ? [now + LOOK_AGAIN_MS] : [];
    const next = Math.min(...look, ...(await this.#resume(ended, now)));
    if (next === Infinity) await this.ctx.storage.deleteAlarm();
    else await this.ctx.storage.setAlarm(next);
  }

  /** When a run must follow one that ended so. */
  async #resume(ended: Ended, now: number): Promise<number[]> {
    // By an alarm, because a new invocation has new limits.
    if (ended === 'more') return [now];
    if (ended === 'database') return [now + DATABASE_RETRY_MS];
    const next = (await this.#backOff()).next();
    return next === null ? [] : [next];
  }

  /** One run at a time. Whoever comes while one is under way gets another after it: what they committed may be too late for this one. */
  async #deliver(): Promise<Ended> {
    if (this.#running !== null) {
      this.#again = true;
      return await this.#running;
    }
    this.#again = false;
    this.#running = this.#deliverOnce()
      .then((ended) => (this.#again ? 'more' : ended))
      .finally(() => (this.#running = null));
    return await this.#running;
  }

  async #deliverOnce(): Promise<Ended> {
    const db = this.env.DB;
    const backOff = await this.#backOff();
    try {
      return await deliver(
        {
          now: Date.now,
          pendingSnapshots: async (limit, which) => await pendingSnapshots(db, limit, which),
          pendingRemovals: async (limit, which) => await pendingRemovals(db, limit, which),
          buildSnapshot: async (id) => await buildSnapshot(db, id),
          recordDelivery: async (id, version) => await recordDelivery(db, id, version),
          recordRemoval: async (id) => await recordRemoval(db, id),
          overtaken: async (version) => await overtakeVersion(db, version),
          cluster: async (id) => await this.cluster(id),
          failed: (cluster, error) => log('warn', 'access not delivered', { cluster, error: describeError(error) }),
        },
        backOff,
      );
    } catch (error) {
      log('error', 'access delivery failed', { error: describeError(error) });
      return 'database';
    } finally {
      await this.ctx.storage.put(FAILING, backOff.toJSON());
    }
  }

  /** What another deploy kept and this one cannot read counts as nothing: all are tried. */
  async #backOff(): Promise<BackOff> {
    return new BackOff(Failing.safeParse(await this.ctx.storage.get(FAILING)).data);
  }

  /** Never later than what is armed already. */
  async #wakeAt(at: number): Promise<void> {
    const armed = await this.ctx.storage.getAlarm();
    if (armed === null || armed > at || armed <= Date.now()) await this.ctx.storage.setAlarm(at);
  }
}
