import { evictDurableObject } from 'cloudflare:test';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ProtocolCode } from '#schema/protocol/codec/codes.ts';
import { ask, member, outcome, person, tokenFor } from '../management/client.ts';
import type { ScriptedAgent } from '../support/agent.ts';
import { scrape } from '../support/scrape.ts';
import { makeWorld, type World } from '../support/world.ts';

/** The smallest that HELLO may name. */
const WINDOW = 1024;

let world: World;
beforeEach(async () => {
  world = await makeWorld();
});
afterEach(async () => await world.end());

async function serves(agent: ScriptedAgent, status = 200): Promise<void> {
  const asked = world.fetch('/version');
  (await agent.next()).respond(status, 'served');
  const response = await asked;
  expect(response.status).toBe(status);
  // What is not read holds the object.
  await response.text();
}

/** An agent whose connection the plane's database knows of: before, nobody is asked. */
async function connected(): Promise<ScriptedAgent> {
  const agent = await world.agent();
  await expect.poll(async () => (await scrape(world)).get('tunnel_up')).toBe(1);
  return agent;
}

test('a cluster that was never connected is down, and is not asked', async () => {
  const metrics = await scrape(world);
  expect(metrics.get('tunnel_up')).toBe(0);
  expect(new Set(metrics.values())).toEqual(new Set([0]));
});

test('requests are counted by how they ended, and timed', async () => {
  const agent = await connected();
  await serves(agent);
  await serves(agent, 404);
  await serves(agent, 503);
  const reset = world.fetch('/version');
  (await agent.next()).reset(ProtocolCode.UPSTREAM_LOST);
  expect((await reset).status).toBe(502);
  expect((await world.fetch('/version', { token: await world.tokenFor({ user: 'u-aaaaaaaaaa' }) })).status).toBe(403);
  const metrics = await scrape(world);
  const count = (of: string) => metrics.get(`request_duration_seconds_count{outcome="${of}"}`);
  expect(['2xx', '4xx', '5xx', 'failed', 'refused', 'cancelled'].map(count)).toEqual([1, 1, 1, 1, 1, 0]);
  expect(metrics.get('request_duration_seconds_bucket{outcome="2xx",le="+Inf"}')).toBe(1);
  expect(metrics.get('refusals_total{code="upstream_lost"}')).toBe(1);
  expect(metrics.get('refusals_total{code="no_access"}')).toBe(1);
  expect(metrics.get('stream_resets_by_agent_total{code="upstream_lost"}')).toBe(1);
});

test('streams under way, and a client that goes away', async () => {
  const agent = await connected();
  const controller = new AbortController();
  const asked = world.fetch('/version', { signal: controller.signal }).catch(() => 'aborted');
  const served = await agent.next();
  expect((await scrape(world)).get('streams_open')).toBe(1);
  controller.abort();
  expect(await asked).toBe('aborted');
  await served.wasReset();
  const metrics = await scrape(world);
  expect(metrics.get('streams_open')).toBe(0);
  expect(metrics.get('request_duration_seconds_count{outcome="cancelled"}')).toBe(1);
  expect(metrics.get('stream_resets_by_plane_total{code="cancelled"}')).toBe(1);
});

test('tunnels by their state, those that came and went, and what went through them', async () => {
  const agent = await connected();
  const second = await world.agent();
  await serves(agent);
  let metrics = await scrape(world);
  const states = ['active', 'standby', 'draining'].map((state) => `tunnels{state="${state}"}`);
  expect(states.map((state) => metrics.get(state))).toEqual([1, 1, 0]);
  for (const direction of ['sent', 'received']) {
    // HELLO of two tunnels, and a request.
    expect(metrics.get(`tunnel_messages_total{direction="${direction}"}`)).toBeGreaterThanOrEqual(3);
    expect(metrics.get(`tunnel_bytes_total{direction="${direction}"}`)).toBeGreaterThan(500);
  }
  expect(metrics.get('queue_delay_seconds_count')).toBeGreaterThanOrEqual(1);
  second.hangUp();
  await expect.poll(async () => (await world.status()).tunnels.length).toBe(1);
  metrics = await scrape(world);
  expect(metrics.get('tunnel_changes_total{change="settled"}')).toBe(2);
  expect(metrics.get('tunnel_changes_total{change="ended"}')).toBe(1);
});

test('what waited for credit shows how long', async () => {
  const agent = await world.agent({
    limits: { streamWindow: WINDOW, sessionWindow: 4 * WINDOW, maxStreams: 10 },
    consumes: false,
  });
  await expect.poll(async () => (await scrape(world)).get('tunnel_up')).toBe(1);
  const asked = world.fetch('/api/v1/pods', { method: 'POST', body: 'x'.repeat(2 * WINDOW) });
  const served = await agent.next();
  await served.until(WINDOW);
  await new Promise((resolve) => setTimeout(resolve, 60));
  served.consume();
  expect(await served.body()).toHaveLength(2 * WINDOW);
  served.respond(201);
  expect((await asked).status).toBe(201);
  const metrics = await scrape(world);
  expect(metrics.get('queue_delay_seconds_sum')).toBeGreaterThanOrEqual(0.05);
});

// Tried with a request that says nothing when it is answered: the second was lost. With a timer left by a scrape: the object cannot be evicted.
test('the counters outlive a hibernation, and are never lower than they were', async () => {
  const agent = await connected();
  await serves(agent);
  const before = await scrape(world);
  await evictDurableObject(await world.stub());
  const after = await scrape(world);
  for (const [series, value] of before) expect([series, after.get(series)]).toEqual([series, value]);
  // What was never scraped is not lost either.
  await serves(agent);
  await world.quiet();
  await evictDurableObject(await world.stub());
  expect((await scrape(world)).get('request_duration_seconds_count{outcome="2xx"}')).toBe(2);
});

// Tried with a tunnel that says nothing when it is idle: the octets were lost.
test('what came after the head of the last request outlives a hibernation too', async () => {
  const agent = await connected();
  const asked = world.fetch('/api/v1/pods');
  const served = await agent.next();
  served.head(200);
  const response = await asked;
  served.write(new Uint8Array(100_000));
  served.end();
  expect((await response.arrayBuffer()).byteLength).toBe(100_000);
  await world.quiet();
  await evictDurableObject(await world.stub());
  expect((await scrape(world)).get('tunnel_bytes_total{direction="received"}')).toBeGreaterThan(100_000);
});

// Tried with a first socket that keeps its claim when it is gone: nothing was kept.
test('the counters move to another tunnel when theirs ends, and begin anew with the last one', async () => {
  const first = await connected();
  const second = await world.agent();
  await serves(first);
  first.hangUp();
  await expect.poll(async () => (await world.status()).tunnels.length).toBe(1);
  await serves(second);
  await evictDurableObject(await world.stub());
  expect((await scrape(world)).get('request_duration_seconds_count{outcome="2xx"}')).toBe(2);
  await evictDurableObject(await world.stub(), { webSockets: 'close' });
  await second.closed;
  const began = Date.now() / 1000;
  const metrics = await scrape(world);
  expect(metrics.get('request_duration_seconds_count{outcome="2xx"}')).toBe(0);
  expect(metrics.get('counters_since_seconds')).toBeGreaterThan(began - 5);
});

test('members may scrape their cluster, also with a token that only reads it; others may not', async () => {
  const address = `GET /v1/clusters/${world.id}/metrics`;
  const ada = await person();
  expect(outcome(await ask(address, { token: await tokenFor(ada) }))).toBe('unknown_cluster');
  expect(outcome(await ask(address))).toBe('unauthenticated');
  await member(world.id, ada, 'member');
  const scraper = await tokenFor(ada, { cluster: world.id, readOnly: true });
  expect(outcome(await ask(address, { token: scraper }))).toBe(200);
});
