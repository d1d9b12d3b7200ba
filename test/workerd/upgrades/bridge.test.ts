import { afterEach, beforeEach, expect, test } from 'vitest';
import { ProtocolCode } from '#schema/protocol/codec/codes.ts';
import { Flag } from '#schema/protocol/codec/frame.ts';
import { MAX_CLIENT_MESSAGE_BYTES } from '#workers/cluster/limits.ts';
import type { ScriptedAgent } from '../support/agent.ts';
import { SocketClient } from '../support/client.ts';
import type { ServedStream } from '../support/served.ts';
import { makeWorld, type World } from '../support/world.ts';

const EXEC = '/api/v1/namespaces/default/pods/web/exec?command=sh&stdin=true';
const MiB = 1024 * 1024;

let world: World;
let agent: ScriptedAgent;
beforeEach(async () => {
  world = await makeWorld();
  agent = await world.agent();
});
afterEach(async () => {
  await world.quiet();
  await world.end();
});

/** An open exec: the client's end and the cluster's. */
async function open(): Promise<{ client: SocketClient; cluster: ServedStream; response: Response }> {
  const asked = world.upgrade(EXEC, { 'sec-websocket-protocol': 'v5.channel.k8s.io' });
  const cluster = await agent.next();
  cluster.head(101, [['sec-websocket-protocol', 'v5.channel.k8s.io']]);
  const response = await asked;
  return { client: new SocketClient(response), cluster, response };
}

const binary = (size: number, first = 0): Uint8Array<ArrayBuffer> =>
  new Uint8Array(size).map((_, i) => (first + i) % 251);

test('a WebSocket is opened with the subprotocol that the cluster chose', async () => {
  const { client, cluster, response } = await open();
  expect(response.status).toBe(101);
  expect(response.headers.get('sec-websocket-protocol')).toBe('v5.channel.k8s.io');
  expect(cluster.request).toMatchObject({ method: 'GET', target: EXEC });
  expect(cluster.field('sec-websocket-protocol')).toBe('v5.channel.k8s.io');
  expect(cluster.field('upgrade')).toBeNull();
  client.close(1000);
  await cluster.ended();
  cluster.close(1000);
});

test('messages keep their boundaries and kinds on the way to the cluster', async () => {
  const { client, cluster } = await open();
  const messages = ['text ü', '', binary(0), binary(1), binary(100_000), binary(MiB + 7)];
  for (const message of messages) client.send(message);
  for (const message of messages) {
    const received = await cluster.messages.next();
    expect(received.text).toBe(typeof message === 'string');
    expect(received.data).toEqual(typeof message === 'string' ? new TextEncoder().encode(message) : message);
  }
  client.close(1000);
  await cluster.ended();
  cluster.close(1000);
});

test('messages keep their boundaries and kinds on the way to the client', async () => {
  const { client, cluster } = await open();
  for (const message of ['text ü', '', binary(0), binary(1), binary(100_000), binary(MiB + 7)]) {
    cluster.send(message);
    const received = await client.next();
    if (typeof message === 'string') expect(received).toBe(message);
    else expect(new Uint8Array(received as ArrayBuffer)).toEqual(message);
  }
  cluster.close(1000);
  expect(await client.closed).toMatchObject({ code: 1000 });
});

test('a message that comes in pieces is delivered whole', async () => {
  const { client, cluster } = await open();
  cluster.stream.write(binary(3));
  cluster.stream.write(binary(3, 3));
  cluster.stream.write(new Uint8Array(0), Flag.MESSAGE_END);
  expect(new Uint8Array((await client.next()) as ArrayBuffer)).toEqual(binary(6));
  cluster.close(1000);
  await client.closed;
});

test('text that is cut in the middle of a character is delivered whole', async () => {
  const { client, cluster } = await open();
  const bytes = new TextEncoder().encode('€');
  cluster.stream.write(bytes.slice(0, 1), Flag.TEXT);
  cluster.stream.write(bytes.slice(1), Flag.TEXT | Flag.MESSAGE_END);
  expect(await client.next()).toBe('€');
  cluster.close(1000);
  await client.closed;
});

test.each([
  [1000, 'done'],
  [1001, ''],
  [1011, 'command terminated'],
  [4321, 'application'],
])('the cluster closes with %s "%s", and the client hears that', async (code, reason) => {
  const { client, cluster } = await open();
  cluster.send('last words');
  cluster.close(code, reason);
  expect(await client.next()).toBe('last words');
  expect(await client.closed).toEqual({ code, reason });
});

test.each([
  [1000, 'bye'],
  [3000, ''],
  [4999, 'ü'.repeat(60)],
])('the client closes with %s "%s", and the cluster hears that', async (code, reason) => {
  const { client, cluster } = await open();
  client.send('last words');
  client.close(code, reason);
  expect(await cluster.ended()).toEqual({ code, reason });
  expect(cluster.messages.length).toBe(1);
  cluster.close(code);
  await client.closed;
});

test('a close without a code stays one', async () => {
  const first = await open();
  first.client.close();
  expect(await first.cluster.ended()).toMatchObject({ code: 1005 });
  first.cluster.close(1005);
  const second = await open();
  second.cluster.close(1005);
  expect(await second.client.closed).toMatchObject({ code: 1005 });
});

test('a close code that may not be sent does not reach the client', async () => {
  const { client, cluster } = await open();
  cluster.close(1006, 'hostile');
  expect([1000, 1005]).toContain((await client.closed).code);
});

test('the client hears when the stream is reset', async () => {
  const { client, cluster } = await open();
  cluster.reset(ProtocolCode.UPSTREAM_LOST, 'the kubelet is gone');
  expect(await client.closed).toEqual({ code: 1011, reason: 'the kubelet is gone (UPSTREAM_LOST)' });
});

test('the client hears when the tunnel dies', async () => {
  const { client } = await open();
  agent.socket.close(1001, 'rollout');
  const closed = await client.closed;
  expect(closed.code).toBe(1011);
  expect(closed.reason).toContain('TUNNEL_LOST');
});

test('a client whose connection breaks resets the stream', async () => {
  const controller = new AbortController();
  const asked = world.fetch(EXEC, { headers: { upgrade: 'websocket' }, signal: controller.signal });
  const cluster = await agent.next();
  controller.abort();
  await expect(asked).rejects.toThrow('aborted');
  expect(await cluster.wasReset()).toMatchObject({ code: ProtocolCode.CANCELLED });
});

test('a message from the cluster that is too large to be put together ends the stream, and only that', async () => {
  const { client, cluster } = await open();
  const other = await open();
  for (let sent = 0; sent <= MAX_CLIENT_MESSAGE_BYTES; sent += 64 * 1024)
    cluster.stream.write(new Uint8Array(64 * 1024));
  expect(await cluster.wasReset()).toMatchObject({ code: ProtocolCode.LIMIT });
  expect(await client.closed).toMatchObject({ code: 1011 });
  other.cluster.send('unharmed');
  expect(await other.client.next()).toBe('unharmed');
  other.cluster.close(1000);
  await other.client.closed;
});

test.each([
  [403, '{"kind":"Status","code":403}'],
  [404, '{"kind":"Status","code":404}'],
  [500, ''],
  [302, ''],
])('a refusal %s passes as it is', async (status, body) => {
  const asked = world.upgrade(EXEC);
  const cluster = await agent.next();
  cluster.respond(status, body, [
    ['content-type', 'application/json'],
    ['location', 'https://elsewhere.example/'],
  ]);
  const response = await asked;
  expect(response.status).toBe(status);
  expect(response.webSocket).toBeNull();
  expect(await response.text()).toBe(body);
  await cluster.ended();
});

test('a draining agent’s refusal of a WebSocket is dispatched once more', async () => {
  const standby = await world.agent();
  const asked = world.upgrade(EXEC);
  const cluster = await agent.next();
  agent.drain();
  cluster.reset(ProtocolCode.DRAIN);
  const again = await standby.next();
  again.head(101);
  const client = new SocketClient(await asked);
  again.close(1000);
  await client.closed;
});

test('what is open on a draining tunnel goes on beside what is new on the next', async () => {
  const first = await open();
  const standby = await world.agent();
  agent.drain();
  await expect
    .poll(async () => (await world.status()).tunnels.filter(({ state }) => state === 'draining'))
    .toHaveLength(1);
  const asked = world.upgrade(EXEC);
  const cluster = await standby.next();
  cluster.head(101);
  const second = new SocketClient(await asked);
  expect(cluster.stream.sequence).toBe(first.cluster.stream.sequence);
  first.client.send('to the first');
  second.send('to the second');
  expect(new TextDecoder().decode((await first.cluster.messages.next()).data)).toBe('to the first');
  expect(new TextDecoder().decode((await cluster.messages.next()).data)).toBe('to the second');
  first.cluster.close(1000);
  cluster.close(1000);
  await Promise.all([first.client.closed, second.closed]);
});
