import { expect, test, vi } from 'vitest';
import type { AccessSnapshot } from '#schema/access.ts';
import { ANSWER_MS, deliver, type ClusterControl, type DeliveryDeps } from './delivery.ts';

const snapshot = (id: string, version: number): AccessSnapshot => ({
  version,
  cluster: { id, name: id, agentGeneration: 0 },
  people: {},
  revokedTokens: {},
});

/** Clusters by id: the version wanted and the one delivered; and what their objects do. */
class Plane implements DeliveryDeps {
  readonly wanted = new Map<string, number>();
  readonly delivered = new Map<string, number>();
  readonly removed = new Set<string>();
  readonly failures: string[] = [];
  readonly objects = new Map<string, Partial<ClusterControl>>();
  version = 0;

  change(...ids: string[]): void {
    this.version++;
    for (const id of ids) this.wanted.set(id, this.version);
  }
  async pendingSnapshots(limit: number, except: ReadonlySet<string>) {
    return [...this.wanted]
      .filter(([id, version]) => (this.delivered.get(id) ?? 0) < version && !except.has(id))
      .map(([id, version]) => ({ id, version }))
      .slice(0, limit);
  }
  async pendingRemovals(limit: number, except: ReadonlySet<string>) {
    return [...this.removed].filter((id) => !except.has(id)).slice(0, limit);
  }
  async buildSnapshot(id: string) {
    return this.wanted.has(id) ? snapshot(id, this.version) : null;
  }
  async recordDelivery(id: string, version: number) {
    this.delivered.set(id, version);
  }
  async recordRemoval(id: string) {
    this.removed.delete(id);
  }
  async cluster(id: string): Promise<ClusterControl> {
    return {
      putSnapshot: async ({ version }) => version,
      forget: async () => {},
      ...this.objects.get(id),
    };
  }
  failed(id: string) {
    this.failures.push(id);
  }
}

test('every cluster that is behind gets the newest snapshot, the others are left asleep', async () => {
  const plane = new Plane();
  plane.change('a', 'b');
  plane.change('a');
  plane.delivered.set('c', 9);
  plane.wanted.set('c', 1);
  expect(await deliver(plane)).toBe(true);
  expect(Object.fromEntries(plane.delivered)).toEqual({ a: 2, b: 2, c: 9 });
});

test('an object that holds a newer snapshot already keeps it', async () => {
  const plane = new Plane();
  plane.change('a');
  plane.objects.set('a', { putSnapshot: async () => 50 });
  expect(await deliver(plane)).toBe(true);
  expect(plane.delivered.get('a')).toBe(50);
});

test('one cluster that fails keeps no other waiting, and is tried once a run', async () => {
  const plane = new Plane();
  plane.change('bad', 'a', 'b');
  const putSnapshot = vi.fn<ClusterControl['putSnapshot']>().mockRejectedValue(new Error('reset'));
  plane.objects.set('bad', { putSnapshot });
  expect(await deliver(plane)).toBe(false);
  expect(plane.failures).toEqual(['bad']);
  expect(putSnapshot).toHaveBeenCalledTimes(1);
  expect([...plane.delivered.keys()]).toEqual(['a', 'b']);
});

test('an object that never answers counts as failed', async () => {
  vi.useFakeTimers();
  const plane = new Plane();
  plane.change('mute', 'a');
  plane.objects.set('mute', { putSnapshot: async () => await Promise.withResolvers<number>().promise });
  const delivered = deliver(plane);
  await vi.advanceTimersByTimeAsync(ANSWER_MS);
  expect(await delivered).toBe(false);
  expect(plane.delivered.has('a')).toBe(true);
  vi.useRealTimers();
});

test('an object that does not take the snapshot is not counted as having it', async () => {
  const plane = new Plane();
  plane.change('a');
  plane.objects.set('a', { putSnapshot: async () => 0 });
  expect(await deliver(plane)).toBe(false);
});

test('a removed cluster is told until it has heard', async () => {
  const plane = new Plane();
  plane.removed.add('gone');
  let reachable = false;
  plane.objects.set('gone', {
    forget: async () => {
      if (!reachable) throw new Error('reset');
    },
  });
  expect(await deliver(plane)).toBe(false);
  reachable = true;
  expect(await deliver(plane)).toBe(true);
  expect(plane.removed.size).toBe(0);
});

test('more clusters than one run may touch are left for the next run, and said to be', async () => {
  const plane = new Plane();
  plane.change(...Array.from({ length: 400 }, (_, at) => `c${at}`));
  let runs = 1;
  while (!(await deliver(plane))) runs++;
  expect(plane.delivered.size).toBe(400);
  expect(runs).toBe(3);
});
