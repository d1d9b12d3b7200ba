import { expect, test } from 'vitest';
import type { AccessSnapshot, Principal } from '#schema/access.ts';
import { Access } from './access.ts';
import { UNKNOWN_FOR_MS } from './limits.ts';

const CLUSTER = 'c-gaaaaaaaaaabbbbbbbb';
const ADA = 'u-aaaaaaaaaa';
const BOB = 'u-bbbbbbbbbb';
const GET = { method: 'GET', target: '/', upgrade: false };

const snapshot = (version: number, ...users: string[]): AccessSnapshot => ({
  version,
  cluster: { id: CLUSTER, name: 'prod', agentGeneration: 1 },
  people: Object.fromEntries(users.map((user) => [user, { username: user, enabled: true, groups: [], notBefore: 0 }])),
  revokedTokens: {},
});

const principal = (user: string, accessVersion = 0): Principal => ({
  user,
  token: 't-aaaaaaaaaa',
  issuedAt: 0,
  expiresAt: 1e9,
  cluster: null,
  readOnly: false,
  accessVersion,
});

/** An Access whose database answers what the test says, and that remembers what was asked. */
function make(stored: AccessSnapshot | null) {
  const world = {
    now: 1_000_000,
    stored,
    pulls: 0,
    answer: (): Promise<AccessSnapshot | null> => Promise.resolve(null),
  };
  const access = new Access({
    now: () => world.now,
    load: () => world.stored,
    save: (saved) => (world.stored = saved),
    pull: () => {
      world.pulls++;
      return world.answer();
    },
  });
  return { world, access };
}

test('a stored snapshot decides without the database', async () => {
  const { world, access } = make(snapshot(3, ADA));
  expect(await access.authorize(principal(ADA), GET)).toMatchObject({ user: ADA });
  await expect(access.authorize(principal(BOB, 3), GET)).rejects.toMatchObject({ code: 'no_access' });
  expect(world.pulls).toBe(0);
});

test('a newer push replaces the snapshot, and is stored', async () => {
  const { world, access } = make(snapshot(3, ADA));
  expect(access.put(snapshot(4))).toBe(4);
  expect(world.stored?.version).toBe(4);
  await expect(access.authorize(principal(ADA), GET)).rejects.toMatchObject({ code: 'no_access' });
});

test.each([2, 3])('a push of version %s is ignored where 3 is held', (version) => {
  const { world, access } = make(snapshot(3, ADA));
  expect(access.put(snapshot(version, BOB))).toBe(3);
  expect(world.stored?.people).toHaveProperty(ADA);
});

test('a pull that is overtaken by a newer push loses', async () => {
  const { world, access } = make(null);
  const { promise, resolve } = Promise.withResolvers<AccessSnapshot | null>();
  world.answer = () => promise;
  const asked = access.authorize(principal(ADA), GET);
  access.put(snapshot(5, ADA));
  resolve(snapshot(4));
  expect(await asked).toMatchObject({ user: ADA });
  expect(access.held?.version).toBe(5);
});

test('requests that need a snapshot at the same time share one pull', async () => {
  const { world, access } = make(null);
  world.answer = () => Promise.resolve(snapshot(1, ADA));
  await Promise.all(Array.from({ length: 20 }, async () => await access.authorize(principal(ADA), GET)));
  expect(world.pulls).toBe(1);
});

test('a person that the token’s version promises is looked for once, and then known', async () => {
  const { world, access } = make(snapshot(3, ADA));
  world.answer = () => Promise.resolve(snapshot(4, ADA, BOB));
  expect(await access.authorize(principal(BOB, 4), GET)).toMatchObject({ user: BOB });
  expect(await access.authorize(principal(BOB, 4), GET)).toMatchObject({ user: BOB });
  expect(world.pulls).toBe(1);
});

test('a person without access does not cause a second pull', async () => {
  const { world, access } = make(snapshot(3, ADA));
  world.answer = () => Promise.resolve(snapshot(4, ADA));
  for (let i = 0; i < 3; i++) {
    await expect(access.authorize(principal(BOB, 4), GET)).rejects.toMatchObject({ code: 'no_access' });
  }
  expect(world.pulls).toBe(1);
});

test('a database that lags behind the token is 503, not a refusal', async () => {
  const { world, access } = make(snapshot(3, ADA));
  world.answer = () => Promise.resolve(snapshot(3, ADA));
  await expect(access.authorize(principal(BOB, 4), GET)).rejects.toMatchObject({ code: 'access_unavailable' });
});

test('a database that fails is 503, and is asked again by the next request', async () => {
  const { world, access } = make(null);
  world.answer = () => Promise.reject(new Error('D1_ERROR'));
  await expect(access.authorize(principal(ADA), GET)).rejects.toMatchObject({ code: 'access_unavailable' });
  world.answer = () => Promise.resolve(snapshot(1, ADA));
  expect(await access.authorize(principal(ADA), GET)).toMatchObject({ user: ADA });
});

test('that there is no such cluster is believed for a moment, and no longer', async () => {
  const { world, access } = make(null);
  for (let i = 0; i < 3; i++) {
    await expect(access.authorize(principal(ADA), GET)).rejects.toMatchObject({ code: 'unknown_cluster' });
  }
  expect(world.pulls).toBe(1);
  world.now += UNKNOWN_FOR_MS;
  world.answer = () => Promise.resolve(snapshot(1, ADA));
  expect(await access.authorize(principal(ADA), GET)).toMatchObject({ user: ADA });
});

test('a snapshot of at least a version is pulled only where the held one is older', async () => {
  const { world, access } = make(snapshot(3, ADA));
  world.answer = () => Promise.resolve(snapshot(5));
  expect((await access.atLeast(3)).version).toBe(3);
  expect(world.pulls).toBe(0);
  expect((await access.atLeast(4)).version).toBe(5);
  expect(world.pulls).toBe(1);
});
