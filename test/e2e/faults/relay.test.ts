import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Relay } from '../../support/faults/relay.ts';
import { describeSchedule, FIRST_SEED, planSchedule } from '../../support/faults/schedule.ts';

let server: Server;
let relay: Relay;
/** Connections at the target, in the order they came. */
let arrived: Socket[];
const dialled: Socket[] = [];

beforeEach(async () => {
  arrived = [];
  server = createServer({ allowHalfOpen: true }, (socket) => arrived.push(socket.on('error', () => undefined)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  relay = await Relay.start(`https://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`);
});
afterEach(async () => {
  for (const socket of [...dialled.splice(0), ...arrived]) socket.destroy();
  await relay.stop();
  server.close();
});

function dial(): Socket {
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(relay.url).port), allowHalfOpen: true });
  dialled.push(socket.on('error', () => undefined));
  return socket;
}

/** A busy machine takes its time. */
const SOON = { timeout: 10_000 };

/** Both ends of a connection through the relay. */
async function join(): Promise<{ near: Socket; far: Socket }> {
  const before = arrived.length;
  const near = dial();
  await expect.poll(() => arrived.length, SOON).toBe(before + 1);
  return { near, far: arrived[before]! };
}

/** A TLS record with so many octets of content. */
const record = (bytes: number): Buffer => {
  const content = Buffer.alloc(bytes, bytes % 251);
  return Buffer.concat([Buffer.from([23, 3, 3, bytes >> 8, bytes & 255]), content]);
};

const endOf = async (socket: Socket): Promise<string> => {
  const error = once(socket, 'error').then(([reason]: NodeJS.ErrnoException[]) => reason?.code ?? 'error');
  return await Promise.race([error, once(socket, 'end').then(() => 'fin')]);
};

describe('a relay', () => {
  test('carries every octet both ways, and each end by itself', async () => {
    const { near, far } = await join();
    const [up, down] = [Buffer.alloc(3_000_000, 'up'), Buffer.alloc(2_000_000, 'down')];
    const received = [buffer(far), buffer(near)];
    near.end(up);
    far.end(down);
    const [atFar, atNear] = await Promise.all(received);
    expect(atFar!.equals(up) && atNear!.equals(down)).toBe(true);
    await expect.poll(() => relay.connections, SOON).toBe(0);
  });

  test('delays, throttles and slices', async () => {
    const { near, far } = await join();
    const began = performance.now();
    relay.set({ delayMs: 60 }, ['up']);
    near.write('late');
    await once(far, 'data');
    expect(performance.now() - began).toBeGreaterThanOrEqual(59);

    relay.set({ delayMs: 0, sliceBytes: 3 });
    const pieces: string[] = [];
    near.on('data', (data: Buffer) => pieces.push(data.toString()));
    far.write('abcdefgh');
    await expect.poll(() => pieces.join(''), SOON).toBe('abcdefgh');
    expect(pieces.length).toBeGreaterThan(1);

    relay.set({ sliceBytes: Infinity, bytesPerSecond: 100_000 });
    const slow = performance.now();
    near.end(Buffer.alloc(10_000));
    await buffer(far);
    expect(performance.now() - slow).toBeGreaterThan(80);
  });

  test('is silent in one direction, and brings what was sent, and the end, once it is well again', async () => {
    const { near, far } = await join();
    relay.set({ silent: true }, ['up']);
    let heard = '';
    far.on('data', (data: Buffer) => (heard += data.toString()));
    const ended = once(far, 'end');
    near.end('question');
    far.write('by itself');
    expect(String(await once(near, 'data'))).toBe('by itself');
    await sleep(50);
    expect([heard, far.readableEnded]).toEqual(['', false]);
    await relay.heal();
    await ended;
    expect(heard).toBe('question');
  });

  test.for(['rst', 'fin'] as const)('cuts with %s after so many octets, which arrive', async (how) => {
    const { near, far } = await join();
    relay.cutAt('up', { unit: 'octets', count: 7, how });
    const chunks: Buffer[] = [];
    far.on('data', (data: Buffer) => chunks.push(data));
    const ended = endOf(far);
    near.write('0123');
    await expect.poll(() => Buffer.concat(chunks).toString(), SOON).toBe('0123');
    near.write('456789');
    expect(await ended).toBe(how === 'rst' ? 'ECONNRESET' : 'fin');
    // A reset overtakes what has not been read.
    expect('0123456').toContain(Buffer.concat(chunks).toString());
    if (how === 'fin') expect(Buffer.concat(chunks).toString()).toBe('0123456');
    await expect.poll(() => relay.connections, SOON).toBe(0);
  });

  test('cuts between TLS records, however they arrive', async () => {
    const { near, far } = await join();
    const received = buffer(far);
    const bytes = Buffer.concat([record(10), record(0), record(300), record(20_000), record(5)]);
    // The first is on its way before anybody thinks of a cut.
    near.write(bytes.subarray(0, 9));
    await sleep(20);
    relay.cutAt('up', { unit: 'records', count: 3, how: 'fin' });
    near.write(bytes.subarray(9));
    expect((await received).byteLength).toBe(15 + 5 + 305);
  });

  test('keeps no sender that it had stopped reading once the other side, which had said its last, is gone', async () => {
    const { near, far } = await join();
    relay.set({ bytesPerSecond: 1_000_000 }, ['up']);
    near.write(Buffer.alloc(2_000_000));
    await once(far, 'data');
    far.end();
    await once(near.resume(), 'end');
    far.resetAndDestroy();
    await expect.poll(() => relay.connections, SOON).toBe(0);
  });

  test('ends a connection for one side only, until all is well', async () => {
    const { near, far } = await join();
    const ended = endOf(near);
    relay.orphan('dialler');
    expect(await ended).toBe('ECONNRESET');
    far.write('anybody?');
    await sleep(50);
    expect([far.readableEnded, far.destroyed]).toEqual([false, false]);
    const heard = endOf(far);
    await relay.heal();
    expect(await heard).toBe('ECONNRESET');
  });

  test('refuses, on the same port, and serves again', async () => {
    await relay.setDoor('refuse');
    const [error] = (await once(dial(), 'error')) as NodeJS.ErrnoException[];
    expect(error?.code).toBe('ECONNREFUSED');
    await relay.heal();
    await join();
  });

  test('holds dials and goes on with them later', async () => {
    await relay.setDoor('hold');
    const near = dial();
    await once(near, 'connect');
    near.write('hello');
    await sleep(50);
    expect(arrived).toEqual([]);
    await relay.heal();
    await expect.poll(() => arrived.length, SOON).toBe(1);
    expect(String(await once(arrived[0]!, 'data'))).toBe('hello');
  });

  test('duplicates a dial: both begin alike, one goes on', async () => {
    relay.duplicateNext();
    const near = dial();
    near.write('first');
    await expect.poll(() => arrived.length, SOON).toBe(2);
    const said = await Promise.all(arrived.map(async (socket) => String((await once(socket, 'data'))[0])));
    expect(said).toEqual(['first', 'first']);
    const ends = arrived.map(() => false);
    for (const [i, socket] of arrived.entries()) socket.on('end', () => (ends[i] = true));
    await expect.poll(() => ends.filter(Boolean).length, SOON).toBe(1);
    near.write(' second');
    expect(String((await once(arrived[ends.indexOf(false)]!, 'data'))[0])).toBe(' second');
  });
});

test('a seed gives one schedule, and seeds give different ones', () => {
  const texts = Array.from({ length: 50 }, (_, seed) => describeSchedule(planSchedule(seed)));
  expect(texts).toEqual(Array.from({ length: 50 }, (_, seed) => describeSchedule(planSchedule(seed))));
  expect(new Set(texts).size).toBe(50);
});

test('the twenty schedules that are always played break connections in every way on every leg, and every process', () => {
  const steps = Array.from({ length: 20 }, (_, i) => planSchedule(FIRST_SEED + i)).flatMap(
    (schedule) => schedule.steps,
  );
  const seen = new Set(steps.map(({ leg, fault }) => `${leg ?? 'process'} ${fault.kind}`));
  const legs = ['client-to-plane', 'agent-to-plane', 'agent-to-api-server'];
  const kinds = ['cut', 'cut-at', 'lose', 'silent', 'orphan', 'hold', 'refuse'];
  const all = legs.flatMap((leg) => kinds.map((kind) => `${leg} ${kind}`));
  const processes = ['agent-killed', 'agent-stopped', 'plane-killed'].map((kind) => `process ${kind}`);
  expect([...all, ...processes].filter((one) => !seen.has(one))).toEqual([]);
});
