import { describe, expect, test } from 'vitest';

import { decodeFrames } from '#schema/protocol/codec/decode.ts';
import { Flag, FrameType, type Frame } from '#schema/protocol/codec/frame.ts';
import {
  BULK_TURN_BYTES,
  INTERACTIVE_BURST_BYTES,
  SESSION_QUEUE_HIGH,
  STREAM_QUEUE_LEAST,
  STREAM_QUEUE_HIGH,
  STREAM_QUEUE_LOW,
} from '#schema/protocol/limits.ts';
import { utf8, type End } from './support/link.ts';
import { body, Owner, World } from './support/owner.ts';

const WIDE = { streamWindow: 64 * 1024 * 1024, sessionWindow: 256 * 1024 * 1024, maxStreams: 4096 };
const wide = () => new World({ plane: WIDE, agent: WIDE });

/** The frames of the next message. */
function next(end: End, maxBytes?: number): Frame[] {
  const message = end.session.pull(maxBytes);
  const list: Frame[] = [];
  if (message !== null) decodeFrames(message, (frame) => list.push(frame));
  return list;
}

/** Streams that are open at both ends and whose answers have begun. */
function answered(world: World, count: number, eager = true): { plane: Owner; agent: Owner }[] {
  const pairs = Array.from({ length: count }, () => world.open(new Owner(1, eager), new Owner(2, eager)));
  world.link.run();
  for (const { agent } of pairs) agent.stream?.head(utf8('200'));
  world.link.run();
  return pairs;
}

const sequences = (list: Frame[]) => new Set(list.map((frame) => frame.sequence));

describe('an interactive stream', () => {
  test('is in the next message while eight bulk streams have megabytes queued', () => {
    const world = wide();
    const [small, ...bulk] = answered(world, 9);
    for (const { agent } of bulk) agent.stream?.write(new Uint8Array(4 * 1024 * 1024));
    next(world.link.agent);
    small?.agent.stream?.write(utf8('event'));
    expect(next(world.link.agent)[0]).toMatchObject({ sequence: small?.agent.stream?.sequence });
  });

  test('does not wait behind its own kind for more than a turn: all are in one message', () => {
    const world = wide();
    const pairs = answered(world, 100);
    for (const { agent } of pairs) agent.stream?.write(body(1, 0, 100));
    expect(sequences(next(world.link.agent)).size).toBe(100);
  });
});

describe('a bulk stream', () => {
  test('is not starved by 1,000 small ones that never stop', () => {
    const world = wide();
    const [bulk, ...small] = answered(world, 1001);
    bulk?.agent.stream?.write(new Uint8Array(4 * 1024 * 1024));
    let others = 0;
    for (let message = 0; message < 50; message++) {
      for (const { agent } of small) if (agent.stream?.queued === 0) agent.stream.write(new Uint8Array(1000));
      const list = next(world.link.agent, 4 * BULK_TURN_BYTES);
      const mine = list.filter((frame) => frame.sequence === bulk?.agent.stream?.sequence);
      others += list.length - mine.length;
      if (mine.length > 0) others = 0;
      expect(others * 1000).toBeLessThan(INTERACTIVE_BURST_BYTES * 2);
    }
    expect(bulk?.agent.stream?.queued).toBeLessThan(4 * 1024 * 1024 - 20 * BULK_TURN_BYTES);
  });

  test('takes turns with the others: none gets more than one turn ahead', () => {
    const world = wide();
    const pairs = answered(world, 8);
    for (const { agent } of pairs) agent.stream?.write(new Uint8Array(1024 * 1024));
    const sent = new Map<number, number>();
    // Smaller than a turn, so that turns break across messages.
    for (let message = 0; message < 200; message++) {
      for (const { sequence, payload } of next(world.link.agent, 10_000)) {
        sent.set(sequence, (sent.get(sequence) ?? 0) + payload.byteLength);
      }
      const all = pairs.map(({ agent }) => sent.get(agent.stream?.sequence ?? 0) ?? 0);
      expect(Math.max(...all) - Math.min(...all)).toBeLessThanOrEqual(BULK_TURN_BYTES);
    }
  });
});

test('OPENs go before what other streams send, and bring no body along', () => {
  const world = wide();
  const [busy] = answered(world, 1);
  busy?.plane.stream?.write(body(2, 0, 100));
  const upload = world.open();
  upload.plane.stream?.write(new Uint8Array(100));
  world.open();
  const { OPEN, DATA } = FrameType;
  expect(next(world.link.plane).map((frame) => frame.type)).toEqual([OPEN, OPEN, DATA, DATA]);
});

test('a message of an upgrade stream that is cut says TEXT on every piece, and its end on the last', () => {
  const world = wide();
  const { plane } = world.open();
  world.link.run();
  plane.stream?.write(new Uint8Array(BULK_TURN_BYTES * 2 + 1), Flag.TEXT | Flag.MESSAGE_END);
  const flags = next(world.link.plane, 4 * BULK_TURN_BYTES).map((frame) => frame.flags);
  expect(flags).toEqual([Flag.TEXT, Flag.TEXT, Flag.TEXT | Flag.MESSAGE_END]);
});

test('OPENs go in the order of their sequences, though the first brings a large body and the second none', () => {
  const world = wide();
  const upload = world.open();
  upload.plane.stream?.write(new Uint8Array(100_000));
  const get = world.open();
  get.plane.stream?.end();
  world.link.run();
  expect(world.link.agent.errors).toEqual([]);
  expect([upload.agent.received, get.agent.heard]).toEqual([100_000, ['end']]);
});

test('a large head that does not fit behind others is first in the next message', () => {
  const world = wide();
  const pairs = answered(world, 3);
  const late = world.open();
  world.link.run();
  for (const { agent } of pairs) agent.stream?.write(new Uint8Array(1024 * 1024));
  late.agent.stream?.head(utf8(`200\nx:${'a'.repeat(30_000)}`));
  // A turn and a bit: the head never fits behind a turn.
  const messages = Array.from({ length: 3 }, () => next(world.link.agent, BULK_TURN_BYTES + 10_000));
  expect(messages.at(-1)?.[0]).toMatchObject({ type: FrameType.HEAD, sequence: late.agent.stream?.sequence });
});

describe('writers', () => {
  test('are told to wait at the high-water mark, and once to go on below the low one', () => {
    const world = wide();
    const [pair] = answered(world, 1);
    const { stream } = pair?.agent ?? {};
    let writes = 0;
    while (stream?.write(new Uint8Array(10_000)) === true) writes++;
    expect(writes * 10_000).toBeGreaterThan(STREAM_QUEUE_HIGH - 20_000);
    const heard: [above: boolean, writable: number][] = [];
    for (let i = 0; i < 20; i++) {
      next(world.link.agent, 20_000);
      heard.push([(stream?.queued ?? 0) > STREAM_QUEUE_LOW, pair?.agent.writable ?? 0]);
    }
    expect(new Set(heard.map(String))).toEqual(new Set(['true,0', 'false,1']));
    world.link.run();
    expect([pair?.agent.writable, stream?.queued]).toEqual([1, 0]);
  });

  test('of all streams wait when the session holds too much, and go on when a stream that held much is reset', () => {
    const world = new World({ plane: { ...WIDE, streamWindow: 1, sessionWindow: 1000 }, agent: WIDE });
    const pairs = answered(world, 200, false);
    const [patient, ...greedy] = pairs;
    for (const { agent } of greedy) agent.stream?.write(new Uint8Array(SESSION_QUEUE_HIGH / 100));
    // A little it may always have queued.
    expect(patient?.agent.stream?.write(utf8('x'))).toBe(true);
    expect(patient?.agent.stream?.write(new Uint8Array(STREAM_QUEUE_LEAST))).toBe(false);
    const agent = world.link.agent;
    for (const { plane } of greedy.slice(0, 10)) plane.stream?.reset(1, '');
    world.link.run();
    expect(patient?.agent.writable).toBe(0);
    agent.pendings = 0;
    for (const { plane } of greedy) plane.stream?.reset(1, '');
    while (world.link.pull(world.link.plane)) world.link.deliver(world.link.plane);
    expect([agent.pendings > 0, agent.session.pending]).toEqual([true, true]);
    world.link.run();
    expect(patient?.agent.writable).toBe(1);
  });

  test('that write from onWritable do not hold up the pull, even while the session is full', () => {
    const world = new World({ plane: WIDE, agent: WIDE });
    const pairs = answered(world, 100);
    const count = { calls: 0 };
    const fill = ({ agent }: { agent: Owner }) => {
      count.calls++;
      while (agent.stream?.write(new Uint8Array(20_000)) === true) continue;
    };
    for (const pair of pairs) {
      pair.agent.onWritable = () => fill(pair);
      fill(pair);
    }
    let most = 0;
    for (let pulls = 0; pulls < 200; pulls++) {
      const before = count.calls;
      expect(next(world.link.agent).length).toBeGreaterThan(0);
      most = Math.max(most, count.calls - before);
    }
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(pairs.length);
  });
});

test('control frames go before all DATA', () => {
  const world = wide();
  const [bulk, other] = answered(world, 2);
  bulk?.agent.stream?.write(new Uint8Array(1024 * 1024));
  other?.agent.stream?.reset(1, 'no longer wanted');
  expect(next(world.link.agent)[0]).toMatchObject({ type: FrameType.RESET, sequence: other?.agent.stream?.sequence });
});
