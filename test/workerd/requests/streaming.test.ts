import { afterEach, beforeEach, expect, test } from 'vitest';
import { ProtocolCode } from '#schema/protocol/codec/codes.ts';
import { AGENT_LIMITS, PLANE_LIMITS, STREAM_QUEUE_HIGH } from '#schema/protocol/limits.ts';
import { source, steady } from '../support/upload.ts';
import { makeWorld, type World } from '../support/world.ts';

let world: World;
beforeEach(async () => {
  world = await makeWorld();
});
afterEach(async () => {
  // Nothing of any exchange is left.
  await world.quiet();
  await world.end();
});

const MiB = 1024 * 1024;
const decoder = new TextDecoder();

test('a client cannot send faster than the cluster takes it: what waits is bounded', async () => {
  const agent = await world.agent({ consumes: false });
  const total = 24 * MiB;
  const { body, taken } = source(total);
  const asked = world.fetch('/upload', { method: 'PUT', body });
  const stream = await agent.next();
  const stalled = await steady(taken);
  expect(stream.received).toBe(AGENT_LIMITS.streamWindow);
  // The stream's queue, and what the runtime buffers between a client and an object.
  expect(stalled).toBeLessThan(AGENT_LIMITS.streamWindow + STREAM_QUEUE_HIGH + 2 * MiB);
  stream.consume();
  expect(await stream.body()).toHaveLength(total);
  stream.respond(200);
  expect((await asked).status).toBe(200);
});

test('a cluster cannot send faster than the client takes it: what waits is bounded by the stream’s window', async () => {
  const agent = await world.agent();
  const asked = world.fetch('/download');
  const stream = await agent.next();
  const total = 8 * MiB;
  let sent = 0;
  stream.head(200);
  const sending = (async () => {
    for (; sent < total; sent += 64 * 1024) await stream.writeAll(new Uint8Array(64 * 1024));
    stream.end();
  })();
  const response = await asked;
  const stalled = await steady(() => sent - stream.stream.queued);
  expect(stalled).toBeLessThanOrEqual(PLANE_LIMITS.streamWindow + 64 * 1024);
  expect((await response.arrayBuffer()).byteLength).toBe(total);
  await sending;
});

test('a client that reads nothing holds up no other', async () => {
  const agent = await world.agent();
  const stuck = world.fetch('/stuck');
  const first = await agent.next();
  first.head(200);
  first.write(new Uint8Array(4 * MiB));
  const held = await stuck;
  for (let i = 0; i < 5; i++) {
    const asked = world.fetch('/quick');
    (await agent.next()).respond(200, 'quick');
    expect(await (await asked).text()).toBe('quick');
  }
  await held.body?.cancel();
  expect(await first.wasReset()).toMatchObject({ code: ProtocolCode.CANCELLED });
});

test.each(['gzip', 'identity'])(
  'each event of a watch is delivered at once, also with Accept-Encoding: %s',
  async (encoding) => {
    const agent = await world.agent();
    const asked = world.fetch('/api/v1/pods?watch=true', { headers: { 'accept-encoding': encoding } });
    const stream = await agent.next();
    stream.head(200, [['content-type', 'application/json']]);
    const response = await asked;
    // A server in front would compress, and hold events back, unless this says that it is encoded already.
    expect(response.headers.get('content-encoding')).toBe('identity');
    const reader = response.body!.getReader();
    for (let i = 0; i < 20; i++) {
      stream.write(`{"event":${i}}\n`);
      const { value } = await reader.read();
      expect(decoder.decode(value)).toBe(`{"event":${i}}\n`);
    }
    stream.end();
    expect((await reader.read()).done).toBe(true);
  },
);

test('the head of a watch is there before its first event', async () => {
  const agent = await world.agent();
  const asked = world.fetch('/api/v1/pods?watch=true');
  const stream = await agent.next();
  stream.head(200);
  const response = await asked;
  expect(response.status).toBe(200);
  stream.end();
  expect(await response.text()).toBe('');
});

test('a response may begin before the request is complete', async () => {
  const agent = await world.agent();
  const { readable, writable } = new IdentityTransformStream();
  const writer = writable.getWriter();
  const asked = world.fetch('/duplex', { method: 'POST', body: readable });
  const stream = await agent.next();
  await writer.write(new TextEncoder().encode('one'));
  await stream.until(3);
  stream.head(200);
  stream.write('first');
  const reader = (await asked).body!.getReader();
  expect(decoder.decode((await reader.read()).value)).toBe('first');
  await writer.write(new TextEncoder().encode('two'));
  await stream.until(6);
  await writer.close();
  expect(decoder.decode(await stream.body())).toBe('onetwo');
  stream.write('second');
  stream.end();
  expect(decoder.decode((await reader.read()).value)).toBe('second');
  expect((await reader.read()).done).toBe(true);
});

test('a response that is complete is delivered whole, though the agent wants no more of the request', async () => {
  const agent = await world.agent();
  // All of it goes out before the client reads any.
  const size = PLANE_LIMITS.streamWindow;
  const { readable, writable } = new IdentityTransformStream();
  const asked = world.fetch('/upload', { method: 'PUT', body: readable });
  const stream = await agent.next();
  stream.head(200);
  stream.write(new Uint8Array(size));
  const response = await asked;
  stream.end();
  await stream.flushed();
  stream.reset(ProtocolCode.CANCELLED, 'the response is complete');
  expect((await response.arrayBuffer()).byteLength).toBe(size);
  await writable.abort('over').catch(() => undefined);
});

test('ACCEPT before a slow head changes nothing for the client', async () => {
  const agent = await world.agent();
  const asked = world.fetch('/slow');
  const stream = await agent.next();
  stream.stream.accept();
  stream.respond(200, 'late');
  expect(await (await asked).text()).toBe('late');
});

test('many requests at once are each answered with their own response', async () => {
  const agent = await world.agent();
  agent.serve((stream) => void Promise.resolve().then(() => stream.respond(200, stream.request.target.repeat(100))));
  const answers = Array.from({ length: 200 }, async (_, i) => await (await world.fetch(`/r/${i}`)).text());
  expect(await Promise.all(answers)).toEqual(Array.from({ length: 200 }, (_, i) => `/r/${i}`.repeat(100)));
});
