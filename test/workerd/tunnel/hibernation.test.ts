import { evictDurableObject, runInDurableObject } from 'cloudflare:test';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CLOSE_CODE_BASE, ProtocolCode } from '#schema/protocol/codec/codes.ts';
import { Flag, FrameType } from '#schema/protocol/codec/frame.ts';
import { encodeResponseHead } from '#schema/protocol/codec/head.ts';
import { ANSWER_MS, MAX_WAITING, TUNNEL_RECENTLY_MS, TUNNEL_WAIT_MS } from '#workers/cluster/limits.ts';
import type { ScriptedAgent } from '../support/agent.ts';
import { makeWorld, withoutDatabase, type World } from '../support/world.ts';

let world: World;
beforeEach(async () => {
  world = await makeWorld();
});
afterEach(async () => {
  await world.end();
});

async function serves(agent: ScriptedAgent, text = 'served'): Promise<number> {
  const asked = world.fetch('/version');
  const served = await agent.next();
  served.respond(200, text);
  expect(await (await asked).text()).toBe(text);
  return served.stream.incarnation;
}

/** Changes what the object has stored. */
async function inStorage(change: (state: DurableObjectState) => void): Promise<void> {
  await runInDurableObject(await world.stub(), (_, state) => change(state));
}

test('an idle object is evicted, and serves the next request over the same tunnel under a new incarnation', async () => {
  const agent = await world.agent();
  const before = await serves(agent);
  await evictDurableObject(await world.stub());
  expect(await serves(agent)).toBe(before + 1);
  expect((await world.status()).tunnels).toMatchObject([{ instance: agent.instance, state: 'active' }]);
});

// Tried with the watchdog left running after the last stream: five seconds.
test('an object sleeps as soon as its last request is over: nothing that it was looking after keeps it awake', async () => {
  const agent = await world.agent();
  await serves(agent);
  const started = Date.now();
  await evictDurableObject(await world.stub());
  expect(Date.now() - started).toBeLessThan(ANSWER_MS - 1_000);
});

test('a frame of the incarnation before an eviction is ignored, whatever stream it names', async () => {
  const agent = await world.agent();
  const old = await serves(agent);
  await evictDurableObject(await world.stub());
  const asked = world.fetch('/version');
  const served = await agent.next();
  const { sequence } = served.stream;
  agent.frame(FrameType.HEAD, Flag.FIN, old, sequence, encodeResponseHead({ status: 418, fields: [] }));
  served.respond(200, 'of this incarnation');
  const response = await asked;
  expect(response.status).toBe(200);
  expect(await response.text()).toBe('of this incarnation');
});

test('pings are answered while the object sleeps, and do not wake it', async () => {
  const agent = await world.agent();
  const before = await serves(agent);
  await evictDurableObject(await world.stub());
  for (let i = 0; i < 3; i++) expect(await agent.ping()).toBe('pong');
  // Had they woken it, an incarnation would have been used up.
  expect(await serves(agent)).toBe(before + 1);
});

test('an agent that drained before an eviction is draining after it', async () => {
  const agent = await world.agent();
  await serves(agent);
  agent.drain();
  await expect.poll(async () => (await world.status()).tunnels[0]?.state).toBe('draining');
  await evictDurableObject(await world.stub());
  expect((await world.status()).tunnels).toMatchObject([{ state: 'draining' }]);
});

test('a deploy: requests wait for the agent’s new dial', async () => {
  const agent = await world.agent();
  await serves(agent);
  await evictDurableObject(await world.stub(), { webSockets: 'close' });
  await agent.closed;
  const asked = [world.fetch('/version'), world.fetch('/api/v1/pods', { method: 'POST', body: '{}' })];
  const again = await world.agent({ instance: agent.instance, epoch: 2 });
  again.serve((stream) => stream.respond(200, stream.request.method));
  expect(await Promise.all(asked.map(async (response) => await (await response).text()))).toEqual(['GET', 'POST']);
});

test('a tunnel that has been gone for longer is down: the answer comes at once', async () => {
  const agent = await world.agent();
  await serves(agent);
  agent.socket.close(1000, 'scaled to zero');
  await expect.poll(async () => (await world.status()).tunnels).toEqual([]);
  await inStorage((state) => {
    const long = String(Date.now() - TUNNEL_RECENTLY_MS - 1);
    state.storage.sql.exec("UPDATE meta SET value = ? WHERE key = 'lost_at'", long);
  });
  const started = Date.now();
  expect((await world.fetch('/version')).status).toBe(503);
  expect(Date.now() - started).toBeLessThan(1_000);
});

test('a cluster that no agent has ever dialled answers 503 at once', async () => {
  const started = Date.now();
  const response = await world.fetch('/version');
  expect(response.status).toBe(503);
  expect(Date.now() - started).toBeLessThan(1_000);
});

test(`no more than ${MAX_WAITING} requests wait for a tunnel`, { timeout: 20_000 }, async () => {
  const agent = await world.agent();
  await serves(agent);
  agent.socket.close(1000, 'rollout');
  await expect.poll(async () => (await world.status()).tunnels).toEqual([]);
  const waiting = Array.from({ length: MAX_WAITING }, async () => (await world.fetch('/version')).status);
  // The last one that still waits is in the object before the one that may not.
  const started = Date.now();
  const over = await Promise.race([
    ...Array.from({ length: 3 }, async () => (await world.fetch('/over')).status),
    ...waiting,
  ]);
  expect(over).toBe(429);
  expect(Date.now() - started).toBeLessThan(TUNNEL_WAIT_MS - 1_000);
  const again = await world.agent({ instance: agent.instance, epoch: 2 });
  again.serve((stream) => stream.respond(200));
  expect(new Set(await Promise.all(waiting))).toEqual(new Set([200]));
});

test('a client that gives up while it waits for a tunnel leaves no place taken', async () => {
  const agent = await world.agent();
  await serves(agent);
  agent.socket.close(1000, 'rollout');
  await expect.poll(async () => (await world.status()).tunnels).toEqual([]);
  const controller = new AbortController();
  const asked = world.fetch('/given-up', { signal: controller.signal }).catch(() => 'aborted');
  const other = world.fetch('/other');
  controller.abort();
  expect(await asked).toBe('aborted');
  const again = await world.agent({ instance: agent.instance, epoch: 2 });
  const served = await again.next();
  expect(served.request.target).toBe('/other');
  served.respond(200);
  expect((await other).status).toBe(200);
  expect(again.opened.length).toBe(0);
});

test('the access snapshot survives an eviction: a request needs no database', async () => {
  const agent = await world.agent();
  await serves(agent);
  await expect.poll(async () => await stored('snapshot')).toContain(world.id);
  await evictDurableObject(await world.stub());
  await withoutDatabase(async () => await serves(agent));
});

async function stored(key: string): Promise<unknown> {
  return await runInDurableObject(
    await world.stub(),
    (_, state) => state.storage.sql.exec('SELECT value FROM meta WHERE key = ?', key).toArray()[0]?.['value'],
  );
}

test.each(['{', '{"version":-1}', 'null'])('a stored snapshot that reads %s is pulled anew', async (text) => {
  const agent = await world.agent();
  await serves(agent);
  await expect.poll(async () => await stored('snapshot')).toContain(world.id);
  await inStorage((state) => state.storage.sql.exec("UPDATE meta SET value = ? WHERE key = 'snapshot'", text));
  await evictDurableObject(await world.stub());
  await serves(agent);
});

test('a socket whose attachment cannot be read is closed, and the agent dials again', async () => {
  const agent = await world.agent();
  await inStorage((state) => {
    for (const socket of state.getWebSockets()) socket.serializeAttachment({ state: 'of a later version' });
  });
  await evictDurableObject(await world.stub());
  const asked = world.fetch('/version');
  expect(await agent.closed).toMatchObject({ code: CLOSE_CODE_BASE + ProtocolCode.INTERNAL });
  const again = await world.agent({ instance: agent.instance, epoch: 2 });
  (await again.next()).respond(200);
  expect((await asked).status).toBe(200);
});

test('incarnations wrap at 16 bits and are never 0', async () => {
  const agent = await world.agent();
  await inStorage((state) => state.storage.sql.exec("UPDATE meta SET value = '65535' WHERE key = 'incarnation'"));
  await evictDurableObject(await world.stub());
  expect(await serves(agent)).toBe(1);
});
