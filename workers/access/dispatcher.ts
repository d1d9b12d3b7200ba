import { DurableObject } from 'cloudflare:workers';
import { describeError, log } from '../log.ts';
import { pendingRemovals, pendingSnapshots, recordDelivery, recordRemoval } from '../store/deliveries.ts';
import { deliver, type ClusterControl } from './delivery.ts';
import { buildSnapshot } from './snapshot.ts';

/** How soon the alarm looks whether a change was committed whose author never came back, ms. With the delivery itself it stays below the goal of 5 s. */
const LOOK_AGAIN_MS = 1_500;

/** How long a change may take between its arming and its commit, ms: D1 ends a batch after 30 s. */
const COMMIT_MS = 35_000;

/** Waits between tries of clusters that cannot be reached, ms: doubles from the first to the second. */
const FIRST_RETRY_MS = 2_000;
const LONGEST_RETRY_MS = 60_000;

/** Keys of this object's storage: `change:<id>` → the moment (epoch ms) until which its commit is awaited; `retry` → the last wait, ms. */
const CHANGE = 'change:';
const RETRY = 'retry';

/**
 * Carries every change of access to the clusters that it touches (`design.md` §2 "Delivery"). A change is announced *before* its commit, which arms the alarm; so a Worker that
 * dies anywhere after that loses nothing. The entry point says where a cluster's object is.
 */
export abstract class AccessDispatcher extends DurableObject<Env> {
  /** The object of a cluster whose id is from the database. */
  protected abstract cluster(clusterId: string): Promise<ClusterControl>;

  #running: Promise<boolean> | null = null;
  #again = false;

  /** A change is about to be committed. Once this has returned, the change will be delivered, whatever becomes of its author. */
  async arm(change: string): Promise<void> {
    const now = Date.now();
    await this.ctx.storage.put(CHANGE + change, now + COMMIT_MS);
    await this.#wakeAt(now + LOOK_AGAIN_MS);
  }

  /** That change was committed, or was not: deliver now. */
  async kick(change: string): Promise<void> {
    await this.ctx.storage.delete(CHANGE + change);
    await this.ctx.storage.delete(RETRY);
    await this.#deliverAndRearm();
  }

  /** Looks what is wanting; armed anew as long as something is, or a commit may still come. */
  override async alarm(): Promise<void> {
    // First, because a run that is cut short must be followed by another.
    await this.ctx.storage.setAlarm(Date.now() + LONGEST_RETRY_MS);
    await this.#deliverAndRearm();
  }

  async #deliverAndRearm(): Promise<void> {
    const all = await this.#deliver();
    const now = Date.now();
    const changes = await this.ctx.storage.list<number>({ prefix: CHANGE });
    const expired = [...changes].filter(([, until]) => until <= now).map(([key]) => key);
    if (expired.length > 0) await this.ctx.storage.delete(expired);
    if (expired.length < changes.size) await this.#wakeAt(now + LOOK_AGAIN_MS);
    else if (all) await this.ctx.storage.deleteAlarm();
    else await this.ctx.storage.setAlarm(now + (await this.#nextRetry()));
    if (all) await this.ctx.storage.delete(RETRY);
  }

  /** One run at a time. Whoever comes while one is under way gets the run after it: what they committed may be too late for this one. */
  async #deliver(): Promise<boolean> {
    if (this.#running !== null) {
      this.#again = true;
      return await this.#running;
    }
    const run = async (): Promise<boolean> => {
      let all: boolean;
      do {
        this.#again = false;
        all = await this.#deliverOnce();
      } while (this.#again);
      return all;
    };
    this.#running = run().finally(() => (this.#running = null));
    return await this.#running;
  }

  async #deliverOnce(): Promise<boolean> {
    const db = this.env.DB;
    try {
      return await deliver({
        pendingSnapshots: async (limit, except) => await pendingSnapshots(db, limit, except),
        pendingRemovals: async (limit, except) => await pendingRemovals(db, limit, except),
        buildSnapshot: async (id) => await buildSnapshot(db, id),
        recordDelivery: async (id, version) => await recordDelivery(db, id, version),
        recordRemoval: async (id) => await recordRemoval(db, id),
        cluster: async (id) => await this.cluster(id),
        failed: (cluster, error) => log('warn', 'access not delivered', { cluster, error: describeError(error) }),
      });
    } catch (error) {
      log('error', 'access delivery failed', { error: describeError(error) });
      return false;
    }
  }

  async #nextRetry(): Promise<number> {
    const last = await this.ctx.storage.get<number>(RETRY);
    const next = Math.min(last === undefined ? FIRST_RETRY_MS : last * 2, LONGEST_RETRY_MS);
    await this.ctx.storage.put(RETRY, next);
    return next;
  }

  /** Never later than what is armed already. */
  async #wakeAt(at: number): Promise<void> {
    const armed = await this.ctx.storage.getAlarm();
    if (armed === null || armed > at || armed <= Date.now()) await this.ctx.storage.setAlarm(at);
  }
}
