import { evictDurableObject, runInDurableObject } from 'cloudflare:test';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ProtocolCode } from '#schema/protocol/codec/codes.ts';
import { AGENT_LIMITS } from '#schema/protocol/limits.ts';
import { UPLOAD_MEMORY_BYTES } from '#workers/cluster/limits.ts';
import type { ScriptedAgent } from '../support/agent.ts';
import { SocketClient } from '../support/client.ts';
import { concat, type ServedStream } from '../support/served.ts';
import { makeWorld, type World } from '../support/world.ts';

const MiB = 1024 * 1024;

let world: World;
beforeEach(async () => {
  world = await makeWorld();
});
afterEach(async () => {
  await world.quiet();
  expect(await rows()).toEqual({ rows: 0, octets: 0 });
  await world.end();
});

/** What uploads have on disk. */
async function rows(): Promise<unknown> {
  return await runInDurableObject(await world.stub(), (_, { storage }) =>
    storage.sql.exec('SELECT count(*) AS rows, coalesce(sum(length(data)), 0) AS octets FROM spill').one(),
  );
}

async function open(agent: ScriptedAgent): Promise<{ client: SocketClient; cluster: ServedStream }> {
  const asked = world.upgrade('/api/v1/namespaces/default/pods/web/exec?command=tar&stdin=true');
  const cluster = await agent.next();
  cluster.head(101);
  return { client: new SocketClient(await asked), cluster };
}

async function sha256(bytes: Uint8Array): Promise<string> {
  const hash = await crypto.subtle.digest('SHA-256', bytes);
  return [...new Uint8Array(hash)].map((octet) => octet.toString(16).padStart(2, '0')).join('');
}

/** Sends messages of many sizes, `total` octets in all; the hash of what was sent. */
async function flood(client: SocketClient, total: number): Promise<string> {
  const sizes = [32 * 1024, 1, 0, 3 * MiB, 100_000, 1025];
  const sent: Uint8Array[] = [];
  let octets = 0;
  for (let i = 0; octets < total; i++) {
    const message = new Uint8Array(Math.min(sizes[i % sizes.length] ?? 1, total - octets));
    crypto.getRandomValues(message.subarray(0, 65_536));
    client.send(message);
    sent.push(message);
    octets += message.byteLength;
  }
  return await sha256(concat(sent));
}

test(
  'what is sent while the cluster takes nothing waits on disk, and arrives whole, in order, before the close',
  { timeout: 20_000 },
  async () => {
    const agent = await world.agent({ consumes: false });
    const { client, cluster } = await open(agent);
    const total = 30 * MiB;
    const hash = await flood(client, total);
    client.close(4001, 'all of it');
    const least = total - UPLOAD_MEMORY_BYTES - AGENT_LIMITS.streamWindow;
    await expect
      .poll(rows, { timeout: 5_000 })
      .toMatchObject({ octets: expect.toSatisfy((octets) => octets >= least) });
    expect(cluster.received).toBe(AGENT_LIMITS.streamWindow);
    cluster.consume();
    expect(await cluster.ended()).toEqual({ code: 4001, reason: 'all of it' });
    expect(cluster.received).toBe(total);
    expect(await sha256(concat(cluster.chunks))).toBe(hash);
    cluster.close(4001);
    await client.closed;
  },
);

test(
  'uploads on two tunnels whose streams have the same sequence do not mix on disk',
  { timeout: 20_000 },
  async () => {
    const draining = await world.agent({ consumes: false });
    const first = await open(draining);
    const next = await world.agent({ consumes: false });
    draining.drain();
    await expect
      .poll(async () => (await world.status()).tunnels.filter(({ state }) => state === 'draining'))
      .toHaveLength(1);
    const second = await open(next);
    expect(second.cluster.stream.sequence).toBe(first.cluster.stream.sequence);
    const hashes = [await flood(first.client, 8 * MiB), await flood(second.client, 8 * MiB)];
    await first.cluster.until(1);
    await second.cluster.until(1);
    for (const { client, cluster } of [first, second]) {
      client.close(1000);
      cluster.consume();
      await cluster.ended();
      cluster.close(1000);
    }
    expect([await sha256(concat(first.cluster.chunks)), await sha256(concat(second.cluster.chunks))]).toEqual(hashes);
  },
);

test('a stream that ends while its upload waits leaves nothing on disk', { timeout: 20_000 }, async () => {
  const agent = await world.agent({ consumes: false });
  const ended = await open(agent);
  const reset = await open(agent);
  const gone = await open(agent);
  for (const { client } of [ended, reset, gone]) await flood(client, 8 * MiB);
  await expect.poll(rows, { timeout: 5_000 }).toMatchObject({ rows: expect.toSatisfy((count) => count > 6) });
  ended.cluster.close(1000, 'enough');
  expect(await ended.client.closed).toEqual({ code: 1000, reason: 'enough' });
  reset.cluster.reset(ProtocolCode.UPSTREAM_LOST);
  await reset.client.closed;
  agent.socket.close(1001, 'rollout');
  expect(await gone.client.closed).toMatchObject({ code: 1011 });
});

test('others are served while an upload waits on disk', { timeout: 20_000 }, async () => {
  const agent = await world.agent({ consumes: false });
  const { client, cluster } = await open(agent);
  await flood(client, 12 * MiB);
  await cluster.until(AGENT_LIMITS.streamWindow);
  const asked = world.fetch('/version');
  (await agent.next()).respond(200, 'quick');
  expect(await (await asked).text()).toBe('quick');
  cluster.close(1000);
  await client.closed;
});

test('what a life of the object left on disk is gone in the next', async () => {
  await world.agent();
  const stub = await world.stub();
  await runInDurableObject(stub, (_, { storage }) => {
    storage.sql.exec('INSERT INTO spill (upload, flags, data) VALUES (1, 2, ?)', new Uint8Array(10).buffer);
  });
  await evictDurableObject(stub);
});
