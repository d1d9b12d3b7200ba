import { describe, expect, test } from 'vitest';

import { ProtocolCode } from '#schema/protocol/codec/codes.ts';
import { Flag, FrameType } from '#schema/protocol/codec/frame.ts';
import type { SessionHandler } from '#schema/protocol/handler.ts';
import { Session } from '#schema/protocol/session.ts';
import type { Stream } from '#schema/protocol/flow/stream.ts';
import { frames, LIMITS, utf8 } from './support/link.ts';
import { body, expectWholeCredit, Owner, World } from './support/owner.ts';

const { CANCELLED, DRAIN } = ProtocolCode;
const SILENT: SessionHandler = {
  onOpen: () => undefined,
  onHello: () => undefined,
  onGoaway: () => undefined,
  onPending: () => undefined,
  onError: () => undefined,
};
const NARROW = { streamWindow: 1000, sessionWindow: 1000, maxStreams: 64 };

/** A world whose plane was evicted with a half-done exchange on its way; what the agent sent last is not delivered yet. */
function evicted(incarnation: number, next: number): { world: World; old: { plane: Owner; agent: Owner } } {
  const world = new World({ plane: NARROW, agent: NARROW, incarnation });
  const old = world.open(new Owner(1, false), new Owner(2, false));
  world.link.run();
  old.plane.stream?.write(body(2, 0, 500));
  old.agent.stream?.head(utf8('200'));
  world.link.run();
  old.agent.stream?.write(body(1, 0, 900));
  world.link.pull(world.link.agent);
  world.link.evictPlane(next);
  return { world, old };
}

describe.each([
  [1, 2],
  [0xffff, 0],
  [0xfffe, 0xffff],
  [7, 3],
])('when the plane forgets incarnation %i and goes on with %i', (before, after) => {
  test('late frames of the old one are ignored and count for no window', () => {
    const { world, old } = evicted(before, after);
    world.link.run();
    expect(world.link.plane.errors).toEqual([]);
    expect(old.plane.received).toBe(0);
    // 900 octets of 1000 came from the old one: had they counted, these would break the window.
    const fresh = world.open(new Owner(1, false), new Owner(2, false));
    world.link.run();
    fresh.agent.stream?.head(utf8('200'));
    fresh.agent.stream?.write(body(1, 0, 1000));
    world.link.run();
    expect([world.link.plane.errors, fresh.plane.received, fresh.plane.intact]).toEqual([[], 1000, true]);
  });

  test('the agent drops the old streams at the next OPEN, once, and its windows are whole', () => {
    const { world, old } = evicted(before, after);
    const fresh = world.open();
    world.link.run();
    expect(old.agent.heard).toEqual([`reset ${CANCELLED}`]);
    expect(fresh.agent.stream?.sequence).toBe(old.agent.stream?.sequence);
    expect(world.link.agent.session.openStreams).toBe(1);
    // What the owner of the old stream consumes late is not the new incarnation's.
    fresh.plane.stream?.reset(CANCELLED, '');
    world.link.run();
    expectWholeCredit(world);
    old.agent.consume(500);
    expectWholeCredit(world);
  });

  test('nothing of the old one is sent after the new one has begun', () => {
    const { world, old } = evicted(before, after);
    world.link.run();
    old.agent.stream?.reset(CANCELLED, '');
    world.open();
    world.link.pull(world.link.plane);
    world.link.deliver(world.link.plane);
    old.agent.stream?.write(utf8('late'));
    old.agent.stream?.reset(CANCELLED, '');
    expect(world.link.agent.session.pull()).toBe(null);
  });

  test('what the owner of a stream that had finished consumes late gives no credit of the new one', () => {
    const world = new World({ plane: NARROW, agent: NARROW, incarnation: before });
    const old = world.open(new Owner(1), new Owner(2, false));
    old.agent.onOpened = () => old.agent.stream?.head(utf8('204'), true);
    old.plane.send(500, 500, 2);
    world.link.run();
    expect([old.agent.stream?.done, old.agent.held]).toEqual([true, 500]);
    world.link.evictPlane(after);
    const fresh = world.open(new Owner(1), new Owner(2, false));
    fresh.plane.send(1000, 1000, 2);
    world.link.run();
    expect(fresh.agent.held).toBe(1000);
    old.agent.consume(500);
    expect(world.link.agent.session.pull()).toBe(null);
  });

  test('GOAWAY of the old one is still heard', () => {
    const { world } = evicted(before, after);
    world.link.agent.session.goaway(DRAIN, 'SIGTERM');
    world.link.run();
    expect(world.link.plane.goaways).toEqual([{ code: DRAIN, reason: 'SIGTERM' }]);
  });

  test('a GOAWAY that waits when the new one begins is not lost', () => {
    const { world } = evicted(before, after);
    world.link.agent.session.goaway(DRAIN, 'SIGTERM');
    const fresh = world.open();
    world.link.pull(world.link.plane);
    world.link.deliver(world.link.plane);
    world.link.run();
    expect(world.link.plane.goaways).toEqual([{ code: DRAIN, reason: 'SIGTERM' }]);
    expect(fresh.plane.heard).toEqual([`reset ${DRAIN}`]);
  });
});

test('the agent answers in the incarnation of the plane that said HELLO', () => {
  const agent = new Session({
    role: 'agent',
    local: LIMITS,
    handler: {
      onOpen: () => undefined,
      onHello: () => agent.hello(utf8('{"step":"proof"}')),
      onGoaway: () => undefined,
      onPending: () => undefined,
      onError: () => undefined,
    },
  });
  agent.receive(frames([FrameType.HELLO, 0, 0xabcd, 0, utf8('{"step":"challenge"}')]));
  expect(agent.pull()).toEqual(frames([FrameType.HELLO, 0, 0xabcd, 0, utf8('{"step":"proof"}')]));
});

test('a plane may take its incarnation when HELLO settles: the agent goes on with what the last HELLO says', () => {
  const heard: string[] = [];
  const handler = {
    onOpen: () => heard.push('open'),
    onHello: () => undefined,
    onGoaway: () => undefined,
    onPending: () => undefined,
    onError: () => undefined,
  };
  const agent = new Session({ role: 'agent', local: LIMITS, handler });
  const plane = new Session({ role: 'plane', local: LIMITS, handler });
  const send = () => agent.receive(plane.pull() ?? new Uint8Array(0));
  plane.hello(utf8('{"step":"challenge"}'));
  send();
  plane.settle(LIMITS, 0x1_0009);
  plane.hello(utf8('{"step":"settled"}'));
  send();
  agent.settle(LIMITS);
  const { incarnation } = plane.open(1, utf8('GET /'), true, new Owner(1));
  send();
  expect([incarnation, heard, agent.openStreams]).toEqual([9, ['open'], 1]);
});

test('an incarnation of more than 16 bits wraps, and touches no other field', () => {
  const world = new World({ incarnation: 0x1_0005 });
  world.open();
  expect(world.link.plane.session.pull()?.subarray(0, 4)).toEqual(Uint8Array.of(FrameType.OPEN, 0, 0, 5));
});

test('a stream number is never used twice in a session that outlives its planes', () => {
  const world = new World();
  const ids = new Set<number>();
  for (let incarnation = 1; incarnation <= 5; incarnation++) {
    for (let i = 0; i < 3; i++) {
      const { agent } = world.open();
      world.link.run();
      ids.add(agent.stream?.id ?? 0);
    }
    world.link.evictPlane(incarnation);
  }
  expect(ids.size).toBe(15);
});

test('when the number of an incarnation comes round again, what its first bearer still held is not credit of the second', () => {
  const agent = new Session({
    role: 'agent',
    local: NARROW,
    handler: { ...SILENT, onOpen: (stream) => held.push(stream) },
  });
  const held: Stream[] = [];
  agent.settle(NARROW);
  const open = (incarnation: number): void =>
    agent.receive(frames([FrameType.OPEN, 0, incarnation, 1, utf8('\u0001GET /')]));
  open(1);
  agent.receive(frames([FrameType.DATA, Flag.FIN, 1, 1, body(1, 0, 900)]));
  held[0]?.head(utf8('200'), true);
  agent.pull();
  open(2);
  open(1);
  agent.receive(frames([FrameType.DATA, 0, 1, 1, body(1, 0, 900)]));
  held[0]?.consumed(900);
  expect(agent.pull()).toBeNull();
});
