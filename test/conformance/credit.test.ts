import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { ProtocolCode } from '#schema/protocol/codec/codes.ts';
import { Flag, FrameType } from '#schema/protocol/codec/frame.ts';
import { MAX_VIEW_RATIO, STREAM_QUEUE_HIGH } from '#schema/protocol/limits.ts';
import { frames, random, utf8 } from './support/link.ts';
import { body, expectWholeCredit, Owner, World } from './support/owner.ts';

const seed = fc.integer();
/** Windows of any size, the smallest most often. */
const window = fc.oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 9, max: 5000 }));
const pullBytes = fc.oneof(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 65, max: 300_000 }));
const side = fc.record({ streamWindow: window, sessionWindow: window });
const exchange = fc.record({
  up: fc.nat(400),
  down: fc.nat(400),
  chunk: fc.integer({ min: 1, max: 300 }),
  eager: fc.boolean(),
});

/** Runs until nothing moves and nothing is left to consume; owners that are not eager consume a little now and then. */
function settle(world: World, owners: Owner[], dice: () => number): void {
  const hungry = () => owners.filter((owner) => owner.held > 0);
  for (;;) {
    const moved = world.link.step(dice);
    if (moved && dice() < 0.9) continue;
    const eaters = hungry();
    if (!moved && eaters.length === 0) return;
    const eater = eaters[Math.floor(dice() * eaters.length)];
    eater?.consume(1 + Math.floor(dice() * eater.held));
  }
}

describe('any windows and any sizes of frames, writes, meals and messages', () => {
  test('bodies arrive whole and in order both ways, nothing deadlocks, and nothing is left', () => {
    fc.assert(
      fc.property(
        fc.record({ seed, pullBytes, recut: fc.boolean(), plane: side, agent: side }),
        fc.array(exchange, { minLength: 1, maxLength: 6 }),
        (options, exchanges) => {
          const world = new World(options);
          const dice = random(options.seed);
          const pairs = exchanges.map(({ up, down, chunk, eager }, i) => {
            const { plane, agent } = world.open(new Owner(2 * i, eager), new Owner(2 * i + 1, eager));
            agent.onOpened = () => {
              agent.stream?.head(utf8('200'));
              agent.send(down, chunk, plane.salt);
            };
            plane.send(up, chunk, agent.salt);
            return { plane, agent, up, down };
          });
          settle(
            world,
            pairs.flatMap(({ plane, agent }) => [plane, agent]),
            dice,
          );
          for (const { plane, agent, up, down } of pairs) {
            expect([plane.received, plane.intact, plane.heard]).toEqual([down, true, ['head 200', 'end']]);
            expect([agent.received, agent.intact, agent.heard]).toEqual([up, true, ['end']]);
          }
          expectWholeCredit(world);
          expect([...world.link.plane.errors, ...world.link.agent.errors]).toEqual([]);
        },
      ),
      { numRuns: 150 },
    );
  });

  test('a message of one octet still carries every frame', () => {
    const world = new World({ pullBytes: 1 });
    const { plane, agent } = world.open();
    agent.onOpened = () => {
      agent.stream?.head(utf8(`200\nx:${'a'.repeat(100_000)}`));
      agent.send(5, 2, 1);
    };
    plane.stream?.end();
    world.link.run();
    expect([plane.received, plane.intact, plane.heard.at(-1)]).toEqual([5, true, 'end']);
  });
});

describe('memory is bounded', () => {
  test.each(['plane', 'agent'] as const)(
    'a peer that ignores credits loses the session before the %s holds more',
    (role) => {
      fc.assert(
        fc.property(seed, fc.array(fc.nat(4096), { minLength: 60, maxLength: 200 }), (start, sizes) => {
          const limits = { streamWindow: 10_000, sessionWindow: 30_000 };
          const world = new World({ [role]: limits });
          const dice = random(start);
          const opened = Array.from({ length: 8 }, () => world.open(new Owner(1, false), new Owner(1, false)));
          world.link.run();
          for (const { agent } of opened) agent.stream?.head(utf8('200'));
          world.link.run();
          const victim = world.link[role];
          const owners = opened.map((pair) => pair[role]);
          // Message after message until it is over: half the window at least goes by, and then some more is too much.
          for (let i = 0; victim.errors.length === 0; i++) {
            const sequence = 1 + 2 * Math.floor(dice() * 8);
            victim.session.receive(
              frames([FrameType.DATA, 0, 0, sequence, body(1, 0, 1 + (sizes[i % sizes.length] ?? 0))]),
            );
            for (const owner of owners) expect(owner.held).toBeLessThanOrEqual(limits.streamWindow);
            expect(owners.reduce((sum, owner) => sum + owner.held, 0)).toBeLessThanOrEqual(limits.sessionWindow);
          }
          expect(victim.errors.map((error) => error.code)).toEqual([ProtocolCode.FLOW_CONTROL]);
          expect(owners.map((owner) => owner.heard.at(-1))).toEqual(
            owners.map(() => `reset ${ProtocolCode.TUNNEL_LOST}`),
          );
        }),
        { numRuns: 30 },
      );
    },
  );

  test('a little DATA in a large message does not keep the message', () => {
    const world = new World();
    const { agent } = world.open();
    world.link.run();
    const kept: Uint8Array[] = [];
    agent.onData = (data) => kept.push(data);
    world.link.agent.session.receive(
      frames(
        [FrameType.DATA, 0, 0, 1, body(1, 0, 10)],
        [0xfe, 0, 0, 0, new Uint8Array(60_000)],
        [FrameType.DATA, Flag.FIN, 0, 1],
      ),
    );
    expect(kept[0]).toEqual(body(1, 0, 10));
    expect(kept[0]?.buffer.byteLength).toBeLessThanOrEqual(10 * MAX_VIEW_RATIO);
  });

  test('a message in a larger buffer does not keep that buffer, nor does one whose slices are views, as those of a Node Buffer are', () => {
    /** A Buffer as far as this matters: it runs in workerd too. */
    class Sliced extends Uint8Array<ArrayBuffer> {
      override slice(start?: number, end?: number): Uint8Array<ArrayBuffer> {
        return this.subarray(start, end);
      }
    }
    const world = new World();
    const { agent } = world.open();
    world.link.run();
    const kept: Uint8Array[] = [];
    agent.onData = (data) => kept.push(data);
    const message = frames([FrameType.DATA, Flag.FIN, 0, 1, body(1, 0, 10)]);
    const slab = new Uint8Array(65_536);
    slab.set(message, 100);
    world.link.agent.session.receive(new Sliced(slab.buffer, 100, message.byteLength));
    expect([...(kept[0] ?? [])]).toEqual([...body(1, 0, 10)]);
    expect(kept[0]?.buffer.byteLength).toBeLessThanOrEqual(10 * MAX_VIEW_RATIO);
  });

  test('many tiny writes meet the high-water mark by what they cost, not by their octets', () => {
    const world = new World({ agent: { streamWindow: 1 } });
    const { plane } = world.open();
    let writes = 0;
    while (plane.stream?.write(Uint8Array.of(writes & 0xff)) === true) writes++;
    expect(writes).toBeLessThan(STREAM_QUEUE_HIGH / 100);
  });

  test('a peer that causes answers and reads none loses the session with LIMIT', () => {
    const world = new World({ agent: { maxStreams: 1 } });
    const { agent } = world.link;
    for (let sequence = 1; agent.errors.length === 0; sequence += 2) {
      expect(sequence).toBeLessThan(100_000);
      agent.session.receive(frames([FrameType.OPEN, 0, 0, sequence, utf8('\u0001GET /')]));
    }
    expect(agent.errors.map((error) => error.code)).toEqual([ProtocolCode.LIMIT]);
    const last = agent.session.pull();
    expect([last?.[0], agent.session.pull()]).toEqual([FrameType.GOAWAY, null]);
  });

  test('requests stop being opened when too much waits to be sent', () => {
    const world = new World({ agent: { maxStreams: 65_536 }, plane: { maxStreams: 65_536 } });
    const head = `GET /${'x'.repeat(100_000)}`;
    const { session } = world.link.plane;
    let opened = 0;
    let refused: unknown;
    while (refused === undefined && opened < 1000) {
      try {
        session.open(1, utf8(head), true, new Owner(1));
        opened++;
      } catch (error) {
        refused = error;
      }
    }
    expect(refused).toMatchObject({ code: ProtocolCode.OVERLOADED });
    expect(opened * 100_000).toBeLessThan(34 * 1024 * 1024);
  });
});
