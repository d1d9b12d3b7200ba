import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { encodeClose } from '#schema/protocol/codec/close.ts';
import { ProtocolCode, ProtocolError } from '#schema/protocol/codec/codes.ts';
import { LAST_SEQUENCE } from '#schema/protocol/limits.ts';
import { random, utf8 } from './support/link.ts';
import { body, expectWholeCredit, Owner, World } from './support/owner.ts';

const { CANCELLED, DRAIN, OVERLOADED, TUNNEL_LOST, UNSUPPORTED } = ProtocolCode;

/** The code that `verb` throws. */
function thrown(verb: () => unknown): number | null {
  try {
    verb();
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
  return null;
}

describe('FIN', () => {
  test('on OPEN: a request without a body', () => {
    const world = new World();
    const { agent } = world.open(new Owner(1), new Owner(2), true);
    world.link.run();
    expect(agent.heard).toEqual(['end']);
    expect(world.link.agent.session.openStreams).toBe(1);
  });

  test('on HEAD: an answer without a body', () => {
    const world = new World();
    const { plane, agent } = world.open(new Owner(1), new Owner(2), true);
    agent.onOpened = () => agent.stream?.head(utf8('204'), true);
    world.link.run();
    expect(plane.heard).toEqual(['head 204', 'end']);
    expectWholeCredit(world);
  });

  test('on DATA, after the body', () => {
    const world = new World();
    const { plane, agent } = world.open();
    plane.send(100, 10, 2);
    world.link.run();
    expect([agent.received, agent.intact, agent.heard]).toEqual([100, true, ['end']]);
  });

  test('as END when nothing is queued any more, and as END with a close', () => {
    const world = new World();
    const { plane, agent } = world.open();
    world.link.run();
    plane.stream?.end();
    agent.stream?.head(utf8('101'));
    world.link.run();
    agent.stream?.end(encodeClose({ code: 1000, reason: 'bye' }));
    world.link.run();
    expect([agent.heard, plane.heard]).toEqual([['end'], ['head 101', 'end of 5']]);
    expectWholeCredit(world);
  });
});

describe('half-close', () => {
  test('of the request leaves the answer open', () => {
    const world = new World();
    const { plane, agent } = world.open(new Owner(1), new Owner(2), true);
    world.link.run();
    agent.stream?.head(utf8('200'));
    for (let at = 0; at < 1000; at += 100) {
      agent.stream?.write(body(1, at, 100));
      world.link.run();
    }
    expect([plane.received, plane.intact, plane.heard]).toEqual([1000, true, ['head 200']]);
    agent.stream?.end();
    world.link.run();
    expectWholeCredit(world);
  });

  test('of the answer leaves the request open', () => {
    const world = new World();
    const { plane, agent } = world.open();
    agent.onOpened = () => agent.stream?.head(utf8('200'), true);
    world.link.run();
    plane.send(1000, 100, 2);
    world.link.run();
    expect([agent.received, agent.intact, agent.heard]).toEqual([1000, true, ['end']]);
    expectWholeCredit(world);
  });

  test('nothing is sent after it', () => {
    const world = new World();
    const { plane, agent } = world.open();
    plane.stream?.end();
    plane.stream?.write(utf8('late'));
    plane.stream?.end();
    world.link.run();
    expect([agent.received, agent.heard, world.link.agent.errors]).toEqual([0, ['end'], []]);
  });
});

describe('streams that are done leave nothing', () => {
  test('after resets at random moments by either side, and consumers that never consumed', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 4, max: 2000 }), fc.boolean(), (seed, sessionWindow, recut) => {
        const side = { streamWindow: Math.ceil(sessionWindow / 2), sessionWindow, maxStreams: 64 };
        const world = new World({ plane: side, agent: side, recut, pullBytes: 200 });
        const dice = random(seed);
        const all: { plane: Owner; agent: Owner }[] = [];
        for (let turn = 0; turn < 400; turn++) {
          if (dice() < 0.1 && all.length < 40) {
            const pair = world.open(new Owner(1, dice() < 0.5), new Owner(2, dice() < 0.5));
            pair.agent.onOpened = () => {
              pair.agent.stream?.head(utf8('200'));
              pair.agent.send(Math.floor(dice() * 1000), 100, 1);
            };
            pair.plane.send(Math.floor(dice() * 1000), 100, 2);
            all.push(pair);
          }
          world.link.step(dice);
          if (dice() < 0.05) {
            const pair = all[Math.floor(dice() * all.length)];
            pair?.[dice() < 0.5 ? 'plane' : 'agent'].stream?.reset(CANCELLED, 'changed its mind');
          }
        }
        for (const { plane } of all) plane.stream?.reset(CANCELLED, 'the end');
        world.link.run();
        // What finished by itself and was never consumed is held until its owner gives it up.
        for (const { plane, agent } of all) {
          plane.stream?.reset(CANCELLED, '');
          agent.stream?.reset(CANCELLED, '');
        }
        world.link.run();
        expectWholeCredit(world);
        expect([...world.link.plane.errors, ...world.link.agent.errors]).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });

  test('a finished stream that is reset again touches none that came after it', () => {
    const world = new World();
    const done = world.open(new Owner(1), new Owner(2), true);
    done.agent.onOpened = () => done.agent.stream?.head(utf8('204'), true);
    world.link.run();
    world.link.evictPlane(1);
    const fresh = world.open();
    world.link.run();
    expect(fresh.agent.stream?.sequence).toBe(done.agent.stream?.sequence);
    done.agent.stream?.reset(CANCELLED, '');
    expect(world.link.agent.session.openStreams).toBe(1);
  });

  test('when the socket breaks every owner hears TUNNEL_LOST once, and nothing is sent any more', () => {
    const world = new World();
    const pairs = Array.from({ length: 5 }, () => world.open());
    world.link.run();
    for (const { agent } of pairs) agent.stream?.head(utf8('200'));
    world.link.cut();
    world.link.cut();
    for (const { plane, agent } of pairs) {
      plane.stream?.consumed(1);
      agent.stream?.write(utf8('late'));
      expect([plane.heard, agent.heard]).toEqual([[`reset ${TUNNEL_LOST}`], [`reset ${TUNNEL_LOST}`]]);
    }
    expect([world.link.plane.session.pull(), world.link.agent.session.pull()]).toEqual([null, null]);
    expect([world.link.plane.session.openStreams, world.link.agent.session.openStreams]).toEqual([0, 0]);
    expect(thrown(() => world.open())).toBe(TUNNEL_LOST);
  });
});

describe('drain', () => {
  test('open streams finish, an OPEN that was under way is RESET with DRAIN, and the plane opens no more', () => {
    const world = new World();
    const open = world.open(new Owner(1), new Owner(2), true);
    world.link.run();
    const late = world.open();
    world.link.agent.session.goaway(DRAIN, 'SIGTERM');
    world.link.run();
    expect(world.link.plane.goaways).toEqual([{ code: DRAIN, reason: 'SIGTERM' }]);
    expect(late.plane.heard).toEqual([`reset ${DRAIN}`]);
    expect(thrown(() => world.open())).toBe(DRAIN);
    open.agent.stream?.head(utf8('200'));
    open.agent.send(1000, 100, 1);
    world.link.run();
    expect([open.plane.received, open.plane.heard]).toEqual([1000, ['head 200', 'end']]);
    expect([world.link.plane.session.openStreams, world.link.agent.session.openStreams]).toEqual([0, 0]);
  });

  test('any other GOAWAY ends the session of the one that hears it', () => {
    const world = new World();
    const { plane } = world.open();
    world.link.run();
    world.link.agent.session.goaway(ProtocolCode.SUPERSEDED, 'a newer dial');
    world.link.run();
    expect(world.link.plane.goaways).toEqual([{ code: ProtocolCode.SUPERSEDED, reason: 'a newer dial' }]);
    expect(plane.heard).toEqual([`reset ${TUNNEL_LOST}`]);
    expect(thrown(() => world.open())).toBe(TUNNEL_LOST);
  });

  test('sequences that are used up drain the tunnel: the last stream is served, the next is not opened', () => {
    const world = new World({ lastSequence: LAST_SEQUENCE - 4 });
    world.open();
    expect(world.link.plane.goaways).toEqual([]);
    const last = world.open();
    expect(world.link.plane.goaways).toMatchObject([{ code: DRAIN }]);
    expect(thrown(() => world.open())).toBe(DRAIN);
    last.agent.onOpened = () => last.agent.stream?.head(utf8('200'));
    world.link.run();
    expect([last.plane.stream?.sequence, last.plane.heard]).toEqual([LAST_SEQUENCE, ['head 200']]);
    // The agent hears of it, or it would never dial anew.
    expect(world.link.agent.goaways).toMatchObject([{ code: DRAIN }]);
    expect(world.link.agent.errors).toEqual([]);
  });
});

describe('the number of streams', () => {
  test('is bound by the smaller of the two limits', () => {
    for (const [plane, agent] of [
      [3, 5],
      [5, 3],
    ]) {
      const world = new World({ plane: { maxStreams: plane ?? 0 }, agent: { maxStreams: agent ?? 0 } });
      for (let i = 0; i < 3; i++) world.open();
      expect(thrown(() => world.open())).toBe(OVERLOADED);
    }
  });

  test('a stream that ends makes room for another', () => {
    const world = new World({ agent: { maxStreams: 1 } });
    for (let i = 0; i < 10; i++) {
      const { plane } = world.open();
      world.link.run();
      plane.stream?.reset(CANCELLED, '');
      world.link.run();
      expect(plane.heard).toEqual([]);
    }
    expect(world.link.agent.errors).toEqual([]);
  });
});

test('an unknown kind is RESET with UNSUPPORTED, and a long reason is cut', () => {
  const world = new World();
  const owner = new Owner(1);
  world.link.plane.session.open(99 as never, utf8('GET /'), true, owner);
  const { plane, agent } = world.open();
  world.link.run();
  expect(owner.heard).toEqual([`reset ${UNSUPPORTED}`]);
  agent.stream?.reset(CANCELLED, 'é'.repeat(300));
  world.link.run();
  expect(plane.reason).toBe('é'.repeat(100));
});
