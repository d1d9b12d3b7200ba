import { afterEach, beforeEach, expect, test } from 'vitest';
import { ProtocolCode } from '#schema/protocol/codec/codes.ts';
import { STREAM_QUEUE_HIGH } from '#schema/protocol/limits.ts';
import { EARLY_ANSWER_BYTES } from '#workers/cluster/limits.ts';
import { source, steady } from '../support/upload.ts';
import { makeWorld, type World } from '../support/world.ts';

// Tried with answers that do not wait: a client is answered, and its connection ended, with most of each of these bodies still to be sent.
let world: World;
beforeEach(async () => {
  world = await makeWorld();
});
afterEach(async () => {
  await world.quiet();
  await world.end();
});

const MiB = 1024 * 1024;
const TOTAL = 8 * MiB;
/** What the runtime buffers between a client and an object. */
const BUFFERED = 2 * MiB;

test('a refusal of the cluster is answered when all of the request has come, and the tunnel carries little of it', async () => {
  const agent = await world.agent();
  const { body, taken } = source(TOTAL);
  const asked = world.fetch('/upload', { method: 'POST', body });
  const stream = await agent.next();
  await stream.until(1);
  stream.respond(413, 'too large');
  const response = await asked;
  expect(taken()).toBe(TOTAL);
  expect(response.status).toBe(413);
  expect(await response.text()).toBe('too large');
  expect(await stream.wasReset()).toMatchObject({ code: ProtocolCode.CANCELLED });
  expect(stream.received).toBeLessThan(TOTAL / 2);
});

test('so it is where the cluster takes nothing of the request, and where the agent resets the stream after its answer', async () => {
  const agent = await world.agent({ consumes: false });
  for (const resets of [false, true]) {
    const { body, taken } = source(TOTAL);
    const asked = world.fetch('/upload', { method: 'POST', body });
    const stream = await agent.next();
    await stream.until(1);
    await steady(taken);
    stream.respond(409, 'conflict');
    await stream.flushed();
    if (resets) stream.reset(ProtocolCode.CANCELLED, 'the response is complete');
    const response = await asked;
    expect(taken()).toBe(TOTAL);
    expect(await response.text()).toBe('conflict');
  }
});

test('so it is with the refusals of the plane: before a token is read, before a request is sent, and where it was not executed', async () => {
  const refused = async (token: string | null): Promise<[number, boolean]> => {
    const { body, taken } = source(TOTAL);
    const { status } = await world.fetch('/upload', { method: 'POST', body, token });
    return [status, taken() === TOTAL];
  };
  expect(await refused(null)).toEqual([401, true]);
  expect(await refused(world.token)).toEqual([503, true]);
  const agent = await world.agent();
  const asked = refused(world.token);
  (await agent.next()).reset(ProtocolCode.OVERLOADED);
  expect(await asked).toEqual([429, true]);
});

test('a cluster that refuses and goes on reading gets all of the request', async () => {
  const agent = await world.agent();
  const { body } = source(TOTAL);
  const asked = world.fetch('/upload', { method: 'POST', body });
  const stream = await agent.next();
  await stream.until(1);
  stream.head(400);
  expect(await stream.body()).toHaveLength(TOTAL);
  stream.write('after all');
  stream.end();
  expect(await (await asked).text()).toBe('after all');
});

test('attack: an upload without end is taken for so many octets and no more, and is answered', async () => {
  const agent = await world.agent({ consumes: false });
  const { body, taken } = source(Infinity);
  const asked = world.fetch('/upload', { method: 'POST', body });
  const stream = await agent.next();
  await stream.until(1);
  const before = await steady(taken);
  stream.respond(413, 'too large');
  const response = await asked;
  expect(await response.text()).toBe('too large');
  const after = await steady(taken);
  expect(after).toBeGreaterThanOrEqual(EARLY_ANSWER_BYTES);
  expect(after).toBeLessThan(before + EARLY_ANSWER_BYTES + STREAM_QUEUE_HIGH + BUFFERED);
});
