import { expect, test, vi } from 'vitest';
import type { AccessSnapshot } from '#schema/access.ts';
import type { Among } from '../store/rights/deliveries.ts';
import { BackOff } from './back-off.ts';
import { ANSWER_MS, deliver, RETRIES, RUN, type ClusterControl, type DeliveryDeps, type Outcome } from './delivery.ts';

const snapshot = (id: string, version: number): AccessSnapshot => ({
  version,
  cluster: { id, name: id, agentGeneration: 0 },
  people: {},
  revokedTokens: {},
});

const chosen = (which: Among, id: string): boolean =>
  'among' in which ? which.among.includes(id) : !which.except.includes(id);

/** Clusters by id: the version wanted and the one delivered; and what their objects do. */
class Plane implements DeliveryDeps {
  readonly wanted = new Map<string, number>();
  readonly delivered = new Map<string, number>();
  readonly removed = new Set<string>();
  readonly failures: string[] = [];
  readonly objects = new Map<string, Partial<ClusterControl>>();
  readonly backOff = new BackOff();
  version = 0;
  time = 0;

  change(...ids: string[]): void {
    this.version++;
    for (const id of ids) this.wanted.set(id, this.version);
  }
  now(): number {
    return this.time;
  }
  async run(): Promise<Outcome> {
    return await deliver(this, this.backOff);
  }
  async pendingSnapshots(limit: number, which: Among) {
    return [...this.wanted]
      .filter(([id, version]) => (this.delivered.get(id) ?? 0) < version && chosen(which, id))
      .map(([id, version]) => ({ id, version }))
      .slice(0, limit);
  }
  async pendingRemovals(limit: number, which: Among) {
    return [...this.removed].filter((id) => chosen(which, id)).slice(0, limit);
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
  async overtaken(held: number) {
    if (this.version >= held) return;
    this.version = held + 1;
    for (const id of this.wanted.keys()) this.wanted.set(id, this.version);
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
  expect(await plane.run()).toBe('all');
  expect(Object.fromEntries(plane.delivered)).toEqual({ a: 2, b: 2, c: 9 });
});

test('an object that has pulled a newer snapshot by itself keeps it', async () => {
  const plane = new Plane();
  plane.change('a');
  plane.objects.set('a', {
    putSnapshot: async () => {
      plane.version = 2;
      return 2;
    },
  });
  expect(await plane.run()).toBe('more');
  expect(await plane.run()).toBe('all');
  expect(plane.delivered.get('a')).toBe(2);
});

test('after a restored backup the counter passes what the objects hold, and all get their snapshot anew', async () => {
  const plane = new Plane();
  const held = new Map([
    ['a', 50],
    ['b', 70],
    ['c', 0],
  ]);
  for (const id of held.keys()) {
    plane.objects.set(id, {
      putSnapshot: async ({ version }) => {
        held.set(id, Math.max(version, held.get(id) ?? 0));
        return held.get(id) ?? 0;
      },
    });
  }
  plane.change('a', 'b', 'c');
  while ((await plane.run()) === 'more') {
    // On to the next run.
  }
  expect(Object.fromEntries(held)).toEqual({ a: 71, b: 71, c: 71 });
  expect(Object.fromEntries(plane.delivered)).toEqual({ a: 71, b: 71, c: 71 });
});

test('one cluster that fails keeps no other waiting, and is tried once a run', async () => {
  const plane = new Plane();
  plane.change('bad', 'a', 'b');
  const putSnapshot = vi.fn<ClusterControl['putSnapshot']>().mockRejectedValue(new Error('reset'));
  plane.objects.set('bad', { putSnapshot });
  expect(await plane.run()).toBe('failed');
  expect(plane.failures).toEqual(['bad']);
  expect(putSnapshot).toHaveBeenCalledTimes(1);
  expect([...plane.delivered.keys()]).toEqual(['a', 'b']);
});

test('a cluster that failed waits by itself, longer each time, while others go on at once', async () => {
  const plane = new Plane();
  plane.change('bad');
  const putSnapshot = vi.fn<ClusterControl['putSnapshot']>().mockRejectedValue(new Error('reset'));
  plane.objects.set('bad', { putSnapshot });
  const tries: number[] = [];
  for (plane.time = 0; plane.time < 200_000; plane.time += 500) {
    plane.change('a');
    await plane.run();
    expect(plane.delivered.get('a')).toBe(plane.version);
    if (putSnapshot.mock.calls.length > tries.length) tries.push(plane.time / 1000);
  }
  expect(tries).toEqual([0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5, 63.5, 123.5, 183.5]);
  expect(plane.backOff.next()).toBe(243_500);
});

test('a cluster that is back is forgotten to have failed; so is one that is up to date or gone by other means', async () => {
  const plane = new Plane();
  plane.change('bad', 'gone');
  for (const id of ['bad', 'gone']) {
    plane.objects.set(id, {
      putSnapshot: vi
        .fn<ClusterControl['putSnapshot']>()
        .mockRejectedValueOnce(new Error('reset'))
        .mockImplementation(async ({ version }) => version),
    });
  }
  expect(await plane.run()).toBe('failed');
  plane.wanted.delete('gone');
  expect(await plane.run()).toBe('failed');
  plane.time += 2000;
  expect(await plane.run()).toBe('all');
  expect(plane.backOff.ids).toEqual([]);
  expect([...plane.delivered.keys()]).toEqual(['bad']);
});

test('an object that never answers counts as failed', async () => {
  vi.useFakeTimers();
  const plane = new Plane();
  plane.change('mute', 'a');
  plane.objects.set('mute', { putSnapshot: async () => await Promise.withResolvers<number>().promise });
  const delivered = plane.run();
  await vi.advanceTimersByTimeAsync(ANSWER_MS);
  expect(await delivered).toBe('failed');
  expect(plane.delivered.has('a')).toBe(true);
  vi.useRealTimers();
});

test('an object that does not take the snapshot is not counted as having it', async () => {
  const plane = new Plane();
  plane.change('a');
  plane.objects.set('a', { putSnapshot: async () => 0 });
  expect(await plane.run()).toBe('failed');
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
  expect(await plane.run()).toBe('failed');
  reachable = true;
  plane.time += 2000;
  expect(await plane.run()).toBe('all');
  expect(plane.removed.size).toBe(0);
});

/** Objects far away, each of which takes 0.3 s to wake. */
const distant: Partial<ClusterControl> = {
  putSnapshot: async ({ version }) => {
    await new Promise((resolve) => setTimeout(resolve, 300));
    return version;
  },
};

/** Runs until nothing is left that can be done at once; returns how long it took, ms of the false clock. */
async function drain(plane: Plane): Promise<number> {
  const started = performance.now();
  let last: Outcome = 'more';
  while (last === 'more') {
    const ended: Outcome[] = [];
    void plane.run().then((outcome) => ended.push(outcome));
    while (ended.length === 0) await vi.advanceTimersByTimeAsync(50);
    last = ended[0] ?? 'all';
  }
  return performance.now() - started;
}

test.each([
  [200, 5_000],
  [1_000, 10_000],
])(
  '%i distant clusters are reached within %i ms, although one never answers and some have failed before',
  async (count, goal) => {
    vi.useFakeTimers();
    const plane = new Plane();
    const ids = Array.from({ length: count }, (_, at) => `c${at}`);
    for (const id of ids) plane.objects.set(id, distant);
    const mute = { putSnapshot: async () => await Promise.withResolvers<number>().promise };
    const failing = Array.from({ length: 20 }, (_, at) => `f${at}`);
    for (const id of failing) {
      plane.objects.set(id, mute);
      plane.backOff.failed(id, -60_000);
    }
    plane.objects.set('mute', mute);
    plane.change('mute', ...failing, ...ids);
    expect(await drain(plane)).toBeLessThanOrEqual(goal);
    expect(plane.delivered.size).toBe(count);
    expect(plane.failures).toHaveLength(21);
    vi.useRealTimers();
  },
);

test('one run does what one invocation may, and says that there is more', async () => {
  const plane = new Plane();
  plane.change(...Array.from({ length: 2 * RUN }, (_, at) => `c${at}`));
  expect(await plane.run()).toBe('more');
  expect(plane.delivered.size).toBe(RUN);
});

test('of many that fail some are tried in a run, those that have waited longest first', async () => {
  const plane = new Plane();
  const ids = Array.from({ length: RETRIES + 1 }, (_, at) => `c${at}`);
  plane.change(...ids);
  ids.forEach((id, at) => plane.backOff.failed(id, -10_000 - at));
  expect(await plane.run()).toBe('more');
  expect(plane.delivered.has('c0')).toBe(false);
  expect(plane.delivered.size).toBe(RETRIES);
  expect(await plane.run()).toBe('all');
});
