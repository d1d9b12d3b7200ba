import { evictDurableObject, runInDurableObject } from 'cloudflare:test';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { AccessSnapshot } from '#schema/access.ts';
import { CLOSE_CODE_BASE, ProtocolCode } from '#schema/protocol/codec/codes.ts';
import { SILENCE_MS } from '#schema/protocol/limits.ts';
import { DIAL_RATE, MAX_TUNNELS } from '#workers/cluster/limits.ts';
import type { ScriptedAgent } from '../support/agent.ts';
import { makeWorld, type World } from '../support/world.ts';

let world: World;
beforeEach(async () => {
  world = await makeWorld();
});
afterEach(async () => await world.end());

const INSTANCE = 'a'.repeat(20);
const closedWith = (code: ProtocolCode) => ({ code: CLOSE_CODE_BASE + code });

/** Sends a request and expects that `agent` serves it. */
async function serves(agent: ScriptedAgent): Promise<void> {
  const asked = world.fetch('/version');
  (await agent.next()).respond(200, agent.instance);
  expect(await (await asked).text()).toBe(agent.instance);
}

const stateOf = async (agent: ScriptedAgent): Promise<string | undefined> =>
  (await world.status()).tunnels.find(({ instance }) => instance === agent.instance)?.state;

test('a newer dial of an instance replaces the older at once', async () => {
  const older = await world.agent({ instance: INSTANCE, epoch: 1 });
  const newer = await world.agent({ instance: INSTANCE, epoch: 2 });
  expect(await older.closed).toMatchObject(closedWith(ProtocolCode.SUPERSEDED));
  await serves(newer);
  expect((await world.status()).tunnels).toHaveLength(1);
});

test.each([2, 1])('a dial of an instance with epoch %s is refused while epoch 2 is connected', async (epoch) => {
  const current = await world.agent({ instance: INSTANCE, epoch: 2 });
  const late = await world.connect({ instance: INSTANCE, epoch });
  expect(await late.closed).toMatchObject(closedWith(ProtocolCode.SUPERSEDED));
  await serves(current);
});

test('a second instance stands by, and serves when the first drains', async () => {
  const first = await world.agent();
  const second = await world.agent();
  expect(await second.settled).toMatchObject({ standby: true });
  await serves(first);
  const under = world.fetch('/api/v1/pods');
  const stream = await first.next();
  first.drain();
  await expect.poll(async () => await stateOf(first)).toBe('draining');
  await serves(second);
  stream.respond(200, 'what was under way is finished');
  expect(await (await under).text()).toBe('what was under way is finished');
});

test('a second instance serves when the first hangs up, whose requests fail loudly', async () => {
  const first = await world.agent();
  const second = await world.agent();
  const under = world.fetch('/api/v1/pods');
  await first.next();
  first.socket.close(1001, 'rollout');
  const response = await under;
  expect(response.status).toBe(502);
  expect(response.headers.has('retry-after')).toBe(false);
  expect(await response.json()).toMatchObject({ kind: 'Status', code: 502, reason: 'InternalError' });
  await serves(second);
});

test('an agent that drains before HELLO is settled is not elected', async () => {
  const standby = await world.agent();
  const leaving = await world.connect({ answers: false });
  const proof = await leaving.proof(await leaving.challenged);
  leaving.drain();
  leaving.hello(proof);
  await leaving.settled;
  standby.drain();
  await expect
    .poll(async () => (await world.status()).tunnels.map(({ state }) => state))
    .toEqual(['draining', 'draining']);
});

test('a node agent ranks below a cluster agent, whoever came first', async () => {
  const node = await world.agent({ role: 'node' });
  await serves(node);
  const cluster = await world.agent();
  expect(await cluster.settled).toMatchObject({ standby: false });
  await serves(cluster);
  cluster.drain();
  await expect.poll(async () => await stateOf(cluster)).toBe('draining');
  await serves(node);
});

test('an instance that fell silent is ended, and the next serves', async () => {
  const silent = await world.agent();
  await age(silent.instance);
  const living = await world.agent();
  await serves(living);
  expect(await silent.closed).toMatchObject(closedWith(ProtocolCode.CANCELLED));
});

test('waking is no sign of life: an agent silent since before an eviction does not serve', async () => {
  const silent = await world.agent();
  await age(silent.instance);
  const asked = world.fetch('/version');
  expect(await silent.closed).toMatchObject(closedWith(ProtocolCode.CANCELLED));
  const next = await world.agent();
  (await next.next()).respond(200);
  expect((await asked).status).toBe(200);
});

test('an agent that only pings is alive', async () => {
  const agent = await world.agent();
  await agent.ping();
  await age(agent.instance);
  await serves(agent);
});

/** Lets a tunnel's socket have been settled long ago, and the object forget what it heard since. */
async function age(instance: string): Promise<void> {
  const stub = await world.stub();
  await runInDurableObject(stub, (_, state) => {
    for (const socket of state.getWebSockets()) {
      const attachment = socket.deserializeAttachment() as { instance: string };
      if (attachment.instance !== instance) continue;
      socket.serializeAttachment({ ...attachment, settledAt: Date.now() - SILENCE_MS - 5_000 });
    }
  });
  await evictDurableObject(stub);
}

test('agents of an ended generation are ended by the snapshot that says so, and cannot come back', async () => {
  const old = await world.agent({ generation: 1 });
  const snapshot: AccessSnapshot = {
    version: 1_000_000,
    cluster: { id: world.id, name: 'prod', agentGeneration: 2 },
    people: {},
    revokedTokens: {},
  };
  expect(await (await world.stub()).putSnapshot(snapshot)).toBe(1_000_000);
  expect(await old.closed).toMatchObject(closedWith(ProtocolCode.UNAUTHENTICATED));
  const again = await world.connect({ generation: 1 });
  expect(await again.closed).toMatchObject(closedWith(ProtocolCode.UNAUTHENTICATED));
});

test(`more than ${MAX_TUNNELS} tunnels are refused, and the others go on`, async () => {
  const agents: ScriptedAgent[] = [];
  for (let i = 0; i < MAX_TUNNELS; i++) agents.push(await world.agent());
  await expect(world.connect()).rejects.toThrow('429');
  agents[0]?.hangUp();
  await expect
    .poll(
      async () =>
        await world.agent().then(
          () => true,
          () => false,
        ),
    )
    .toBe(true);
});

// Tried with no room made for it: the agent's dial is answered 429.
test('attack: dials that never prove themselves do not keep an agent out', async () => {
  const unproven: ScriptedAgent[] = [];
  for (let i = 0; i < MAX_TUNNELS; i++) unproven.push(await world.connect({ answers: false }));
  await serves(await world.agent());
  expect(await unproven[0]?.closed).toMatchObject(closedWith(ProtocolCode.OVERLOADED));
});

// Tried with dials that are not counted: the last is taken.
test('attack: an address that dials without end is refused, and an agent elsewhere is not', async () => {
  const dial = async (address: string) => await world.connect({ answers: false, address });
  for (let i = 0; i < DIAL_RATE.burst; i++) await dial('192.0.2.1');
  await expect(
    (async () => {
      // What comes back meanwhile is spent too.
      for (let i = 0; i < DIAL_RATE.burst; i++) await dial('192.0.2.1');
    })(),
  ).rejects.toThrow('429');
  await serves(await world.agent({ address: '192.0.2.2' }));
});

test('a GOAWAY whose reason is not ASCII ends the tunnel like any other', async () => {
  const agent = await world.agent();
  agent.session.goaway(ProtocolCode.INTERNAL, '€'.repeat(60));
  await expect.poll(async () => (await world.status()).tunnels).toEqual([]);
});

test('a cluster that is removed from the plane ends its tunnels and leaves nothing', async () => {
  const agent = await world.agent();
  const stub = await world.stub();
  await stub.forget();
  expect(await agent.closed).toMatchObject(closedWith(ProtocolCode.UNAUTHENTICATED));
  await runInDurableObject(stub, (_, state) => {
    expect(
      state.storage.sql.exec("SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_cf%' ESCAPE '\\'").toArray(),
    ).toEqual([]);
  });
});
