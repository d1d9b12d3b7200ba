import type { AccessSnapshot } from '#schema/access.ts';
import type { Among } from '../store/rights/deliveries.ts';
import type { BackOff } from './back-off.ts';

/** What a cluster's object takes from the dispatcher. */
export interface ClusterControl {
  /** Returns the version that the object holds afterwards. */
  putSnapshot(snapshot: AccessSnapshot): Promise<number>;
  /** The cluster is removed: its tunnels end, and nothing is kept. */
  forget(): Promise<void>;
}

/** What delivery asks for. */
export interface DeliveryDeps {
  /** Epoch ms. */
  now(): number;
  /** Clusters that are behind, at most `limit`. */
  pendingSnapshots(limit: number, which: Among): Promise<{ id: string; version: number }[]>;
  /** Removed clusters whose object has not heard, at most `limit`. */
  pendingRemovals(limit: number, which: Among): Promise<string[]>;
  /** Null: there is no such cluster any more. */
  buildSnapshot(clusterId: string): Promise<AccessSnapshot | null>;
  recordDelivery(clusterId: string, version: number): Promise<void>;
  recordRemoval(clusterId: string): Promise<void>;
  /** An object holds a version that the plane may never have given out: see {@link deliver}. */
  overtaken(version: number): Promise<void>;
  /** A new stub each time: one that has failed stays broken. */
  cluster(clusterId: string): Promise<ClusterControl>;
  failed(clusterId: string, error: unknown): void;
}

/** `all`: nothing is wanting. `more`: there is more to do at once, in a new invocation. `failed`: what is wanting waits for its next try. */
export type Outcome = 'all' | 'more' | 'failed';

/**
 * What one run does: so many clusters, and so many that have failed before. A delivery makes five queries, a removal one, and D1 takes 1,000 from one invocation.
 */
export const RUN = 100;
export const RETRIES = 40;

/**
 * Deliveries at once. Waking an object far away takes some 0.3 s, so 200 clusters take two runs of a second. Each holds one snapshot in memory. Those that have failed
 * before go besides, each for {@link ANSWER_MS} at most, so that they take nobody's place.
 */
const AT_ONCE = 50;

/** How long an object may take to answer, ms. It only writes a row; one that is starting takes tens of milliseconds. */
export const ANSWER_MS = 2_000;

/**
 * Brings every cluster that is behind up to date, and tells removed ones. Level-triggered: it asks the database what is wanting, so being called twice, late or after a
 * crash is all the same. Clusters that cannot be reached wait in `backOff`.
 *
 * An object that holds a higher version than it was given has pulled a later snapshot itself; or the database is a backup that was restored, its counter went back, and the
 * object would refuse every snapshot until the counter has caught up. `overtaken` makes sure that it has.
 */
export async function deliver(deps: DeliveryDeps, backOff: BackOff): Promise<Outcome> {
  const fresh = await wanting(deps, RUN, { except: backOff.ids });
  const due = backOff.due(deps.now());
  const among = due.slice(0, RETRIES);
  const again = among.length === 0 ? [] : await wanting(deps, RETRIES, { among });
  const overtook = new Map<string, number>();
  const run = async ({ id, version }: Wanting): Promise<void> => {
    try {
      const higher = version === null ? await remove(deps, id) : await push(deps, id, version);
      if (higher !== null) overtook.set(id, higher);
      backOff.reached(id);
    } catch (error) {
      backOff.failed(id, deps.now());
      deps.failed(id, error);
    }
  };
  await Promise.all([inParallel(fresh, AT_ONCE, run), inParallel(again, RETRIES, run)]);
  // Somebody else has brought them up to date, or they are gone.
  for (const id of among) if (!again.some((one) => one.id === id)) backOff.reached(id);
  if (overtook.size > 0) {
    // Before the deliveries are recorded, or a crash between the two would leave the clusters behind and call them done.
    await deps.overtaken(Math.max(...overtook.values()));
    for (const [id, version] of overtook) await deps.recordDelivery(id, version);
  }
  if (fresh.length >= RUN || due.length > RETRIES || overtook.size > 0) return 'more';
  return backOff.next() === null ? 'all' : 'failed';
}

/** A cluster that is behind; `version` null: it was removed. */
interface Wanting {
  readonly id: string;
  readonly version: number | null;
}

async function wanting(deps: DeliveryDeps, limit: number, which: Among): Promise<Wanting[]> {
  const removals = await deps.pendingRemovals(limit, which);
  const snapshots = await deps.pendingSnapshots(limit, which);
  return [...removals.map((id) => ({ id, version: null })), ...snapshots].slice(0, limit);
}

/** Returns the version that the object holds if it is higher than what was pushed. */
async function push(deps: DeliveryDeps, id: string, version: number): Promise<number | null> {
  const snapshot = await deps.buildSnapshot(id);
  if (snapshot === null) return null;
  const held = await answered((await deps.cluster(id)).putSnapshot(snapshot));
  if (held > snapshot.version) return held;
  await deps.recordDelivery(id, held);
  if (held < version) throw new Error(`the object holds version ${held} after a push of ${snapshot.version}`);
  return null;
}

async function remove(deps: DeliveryDeps, id: string): Promise<null> {
  await answered((await deps.cluster(id)).forget());
  await deps.recordRemoval(id);
  return null;
}

async function answered<T>(answer: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no answer within ${ANSWER_MS} ms`)), ANSWER_MS);
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function inParallel<T>(items: readonly T[], lanes: number, work: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  const lane = async (): Promise<void> => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(lanes, items.length) }, lane));
}
