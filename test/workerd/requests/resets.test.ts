import { afterEach, beforeEach, expect, test } from 'vitest';
import { ProtocolCode } from '#schema/protocol/codec/codes.ts';
import { Flag, FrameType } from '#schema/protocol/codec/frame.ts';
import { encodeResponseHead } from '#schema/protocol/codec/head.ts';
import { AGENT_LIMITS } from '#schema/protocol/limits.ts';
import { CANCEL_RATE } from '#workers/cluster/limits.ts';
import { addPerson, makeWorld, type World } from '../support/world.ts';

let world: World;
beforeEach(async () => {
  world = await makeWorld();
});
afterEach(async () => {
  await world.quiet();
  await world.end();
});

test.each<[keyof typeof ProtocolCode, number, string, boolean]>([
  ['OVERLOADED', 429, 'TooManyRequests', true],
  ['UPSTREAM_UNREACHABLE', 503, 'ServiceUnavailable', true],
  ['UPSTREAM_LOST', 502, 'InternalError', false],
  ['IDENTITY_REFUSED', 403, 'Forbidden', false],
  ['UNSUPPORTED', 503, 'ServiceUnavailable', false],
  ['CANCELLED', 502, 'InternalError', false],
  ['INTERNAL', 502, 'InternalError', false],
  ['LIMIT', 502, 'InternalError', false],
])('a reset %s before the head is a Status %s %s', async (code, status, reason, mayRetry) => {
  const agent = await world.agent();
  const asked = world.fetch('/api/v1/pods');
  (await agent.next()).reset(ProtocolCode[code], 'why it was');
  const response = await asked;
  expect(response.status).toBe(status);
  expect(response.headers.has('retry-after')).toBe(mayRetry);
  expect(await response.json()).toMatchObject({
    kind: 'Status',
    code: status,
    reason,
    message: `why it was (${code})`,
  });
});

test('a reset after the head breaks the content off: it never ends as if it were whole', async () => {
  const agent = await world.agent();
  const asked = world.fetch('/api/v1/pods?watch=true');
  const stream = await agent.next();
  stream.head(200);
  stream.write('{"event":1}\n');
  const reader = (await asked).body!.getReader();
  expect((await reader.read()).done).toBe(false);
  stream.reset(ProtocolCode.UPSTREAM_LOST);
  await expect(reader.read()).rejects.toThrow('UPSTREAM_LOST');
});

test('a tunnel that dies breaks the content off', async () => {
  const agent = await world.agent();
  const asked = world.fetch('/logs?follow=true');
  const stream = await agent.next();
  stream.head(200);
  stream.write('line');
  const reader = (await asked).body!.getReader();
  await reader.read();
  agent.socket.close(1001, 'gone');
  await expect(reader.read()).rejects.toThrow('TUNNEL_LOST');
});

test('a head and a reset in one message are not taken for a request that was never executed', async () => {
  const agent = await world.agent();
  const asked = world.fetch('/api/v1/pods');
  const { stream } = await agent.next();
  const { incarnation, sequence } = stream;
  agent.frames([
    [FrameType.HEAD, 0, incarnation, sequence, encodeResponseHead({ status: 200, fields: [] })],
    [FrameType.RESET, 0, incarnation, sequence, new Uint8Array([0, ProtocolCode.DRAIN])],
  ]);
  const response = await asked;
  expect(response.status).toBe(502);
  expect(response.headers.has('retry-after')).toBe(false);
  expect(agent.opened.length).toBe(0);
});

test('a client that goes away before the head resets the stream at once', async () => {
  const agent = await world.agent();
  const controller = new AbortController();
  const asked = world.fetch('/slow', { signal: controller.signal });
  const stream = await agent.next();
  const started = Date.now();
  controller.abort();
  await expect(asked).rejects.toThrow('aborted');
  expect(await stream.wasReset()).toMatchObject({ code: ProtocolCode.CANCELLED });
  expect(Date.now() - started).toBeLessThan(500);
});

test('a client that goes away in the middle of an idle watch resets the stream at once', async () => {
  const agent = await world.agent();
  const controller = new AbortController();
  const asked = world.fetch('/api/v1/pods?watch=true', { signal: controller.signal });
  const stream = await agent.next();
  stream.head(200);
  stream.write('{"event":1}\n');
  const reader = (await asked).body!.getReader();
  await reader.read();
  const started = Date.now();
  controller.abort();
  await expect(reader.read()).rejects.toThrow('aborted');
  expect(await stream.wasReset()).toMatchObject({ code: ProtocolCode.CANCELLED });
  expect(Date.now() - started).toBeLessThan(500);
});

test('a client that goes away in the middle of a download resets the stream', async () => {
  const agent = await world.agent();
  const asked = world.fetch('/download');
  const stream = await agent.next();
  stream.head(200, [['content-length', '10000000']]);
  stream.write(new Uint8Array(10_000_000));
  const reader = (await asked).body!.getReader();
  await reader.read();
  await reader.cancel();
  expect(await stream.wasReset()).toMatchObject({ code: ProtocolCode.CANCELLED });
});

test('a client that goes away in the middle of its request resets the stream: half of it never counts as whole', async () => {
  const agent = await world.agent();
  const controller = new AbortController();
  const { readable, writable } = new IdentityTransformStream();
  const writer = writable.getWriter();
  const asked = world.fetch('/apply', { method: 'POST', body: readable, signal: controller.signal });
  await writer.write(new Uint8Array(1000));
  const stream = await agent.next();
  await stream.until(1000);
  const ended = stream.body().then(() => 'ended');
  controller.abort();
  await expect(asked).rejects.toThrow('aborted');
  expect(await stream.wasReset()).toMatchObject({ code: ProtocolCode.CANCELLED });
  expect(await Promise.race([ended, Promise.resolve('not ended')])).toBe('not ended');
  await writer.abort().catch(() => undefined);
});

test('a request that ends before its declared length resets the stream', async () => {
  const agent = await world.agent();
  const { readable, writable } = new FixedLengthStream(5000);
  const writer = writable.getWriter();
  const asked = world.fetch('/apply', { method: 'POST', body: readable }).then(
    (response) => response.status,
    () => 'failed',
  );
  await writer.write(new Uint8Array(1000));
  const stream = await agent.next();
  await stream.until(1000);
  await writer.close().catch(() => undefined);
  expect(await stream.wasReset()).toMatchObject({ code: ProtocolCode.CANCELLED });
  expect([400, 'failed']).toContain(await asked);
});

test('more requests than the agent takes are refused with 429 and Retry-After: nothing was executed', async () => {
  const agent = await world.agent({ limits: { ...AGENT_LIMITS, maxStreams: 2 } });
  const under = [world.fetch('/1'), world.fetch('/2')];
  const streams = [await agent.next(), await agent.next()];
  const response = await world.fetch('/3');
  expect(response.status).toBe(429);
  expect(response.headers.get('retry-after')).toBe('1');
  expect(await response.json()).toMatchObject({ kind: 'Status', reason: 'TooManyRequests' });
  for (const stream of streams) stream.respond(200);
  for (const asked of under) expect((await asked).status).toBe(200);
});

// Tried with requests given up that are not counted: the next one is served.
test('attack: whoever gives up requests without end is refused for a while, and nobody else (CVE-2023-44487)', async () => {
  const token = await world.tokenFor({ user: await addPerson({ administrator: true }) });
  const agent = await world.agent();
  const controller = new AbortController();
  const asked = Array.from({ length: 2 * CANCEL_RATE.burst }, async () => {
    await world.fetch('/version', { signal: controller.signal }).catch(() => undefined);
  });
  for (let i = 0; i < asked.length; i++) await agent.next();
  controller.abort();
  await Promise.all(asked);
  await world.quiet();
  const refused = await world.fetch('/version');
  expect(refused.status).toBe(429);
  expect(refused.headers.get('retry-after')).toBe('1');
  expect(await refused.json()).toMatchObject({ message: expect.stringContaining('given up too many requests') });
  const other = world.fetch('/version', { token });
  (await agent.next()).respond(200);
  expect((await other).status).toBe(200);
});

test('what a draining agent did not take is dispatched once more, where it has no content', async () => {
  const draining = await world.agent();
  const standby = await world.agent();
  const asked = world.fetch('/api/v1/pods', { method: 'DELETE' });
  const stream = await draining.next();
  draining.drain();
  stream.reset(ProtocolCode.DRAIN);
  const again = await standby.next();
  expect(again.request).toMatchObject({ method: 'DELETE', target: '/api/v1/pods' });
  again.respond(200, 'deleted');
  expect(await (await asked).text()).toBe('deleted');
});

test('it is dispatched once more and no oftener', async () => {
  const agent = await world.agent();
  const asked = world.fetch('/api/v1/pods');
  (await agent.next()).reset(ProtocolCode.DRAIN);
  (await agent.next()).reset(ProtocolCode.DRAIN);
  const response = await asked;
  expect(response.status).toBe(429);
  expect(agent.opened.length).toBe(0);
});

test('a request with content is never dispatched again', async () => {
  const draining = await world.agent();
  const standby = await world.agent();
  const asked = world.fetch('/api/v1/pods', { method: 'POST', body: '{}' });
  const stream = await draining.next();
  draining.drain();
  stream.reset(ProtocolCode.DRAIN);
  expect((await asked).status).toBe(429);
  expect(standby.opened.length).toBe(0);
});

test('a request whose tunnel died is never dispatched again', async () => {
  const dying = await world.agent();
  const standby = await world.agent();
  const asked = world.fetch('/api/v1/pods');
  await dying.next();
  dying.socket.close(1001, 'gone');
  expect((await asked).status).toBe(502);
  expect(standby.opened.length).toBe(0);
});

test('an agent that breaks the protocol is ended with a code, and its streams fail loudly', async () => {
  const agent = await world.agent();
  const asked = world.fetch('/api/v1/pods');
  const { stream } = await agent.next();
  agent.frame(FrameType.DATA, Flag.FIN, stream.incarnation, stream.sequence, new Uint8Array(1));
  expect(await agent.closed).toMatchObject({ code: 4000 + ProtocolCode.PROTOCOL_ERROR });
  expect((await asked).status).toBe(502);
});
