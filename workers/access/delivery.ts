import type { AccessSnapshot } from '#schema/access.ts';

/** What a cluster's object takes from the dispatcher. */
export interface ClusterControl {
  /** Returns the version that the object holds afterwards. */
  putSnapshot(snapshot: AccessSnapshot): Promise<number>;
  /** The cluster is removed: its tunnels end, and nothing is kept. */
  forget(): Promise<void>;
}

/** What delivery asks for. */
export interface DeliveryDeps {
  /** Clusters that are behind, at most `limit`, without those that have failed in this run. */
  pendingSnapshots(limit: number, except: ReadonlySet<string>): Promise<{ id: string; version: number }[]>;
  pendingRemovals(limit: number, except: ReadonlySet<string>): Promise<string[]>;
  /** Null: there is no such cluster any more. */
  buildSnapshot(clusterId: string): Promise<AccessSnapshot | null>;
  recordDelivery(clusterId: string, version: number): Promise<void>;
  recordRemoval(clusterId: string): Promise<void>;
  /** A new stub each time: one that has failed stays broken. */
  cluster(clusterId: string): Promise<ClusterControl>;
  failed(clusterId: string, error: unknown): void;
}

/** Clusters in one round. D1 takes 1,000 queries from one invocation, a delivery makes five and a run has {@link MAX_ROUNDS}. */
const ROUND = 50;
const MAX_ROUNDS = 3;

/** Deliveries at once: one slow object must not keep the others waiting, and a Worker has few connections. */
const AT_ONCE = 6;

/** How long an object may take to answer, ms. It only writes a row; one that is starting takes tens of milliseconds. */
export const ANSWER_MS = 2_000;

/**
 * Brings every cluster that is behind up to date, and tells removed ones. Returns whether all were reached; otherwise the caller comes back later. Level-triggered: it
 * asks the database what is wanting, so being called twice, late or after a crash is all the same.
 */
export async function deliver(deps: DeliveryDeps): Promise<boolean> {
  const failed = new Set<string>();
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const removals = await deps.pendingRemovals(ROUND, failed);
    const snapshots = await deps.pendingSnapshots(ROUND, failed);
    if (removals.length + snapshots.length === 0) return failed.size === 0;
    const tasks = [
      ...removals.map((id) => ({ id, run: async () => await remove(deps, id) })),
      ...snapshots.map(({ id, version }) => ({ id, run: async () => await push(deps, id, version) })),
    ];
    await inParallel(tasks, async ({ id, run }) => {
      try {
        await run();
      } catch (error) {
        failed.add(id);
        deps.failed(id, error);
      }
    });
  }
  return false;
}

async function push(deps: DeliveryDeps, id: string, version: number): Promise<void> {
  const snapshot = await deps.buildSnapshot(id);
  if (snapshot === null) return;
  const held = await answered((await deps.cluster(id)).putSnapshot(snapshot));
  await deps.recordDelivery(id, held);
  if (held < version) throw new Error(`the object holds version ${held} after a push of ${snapshot.version}`);
}

async function remove(deps: DeliveryDeps, id: string): Promise<void> {
  await answered((await deps.cluster(id)).forget());
  await deps.recordRemoval(id);
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

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  const worker = async (): Promise<void> => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, worker));
}
