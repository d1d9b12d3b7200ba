import { describe, expect, test } from 'vitest';

import { ProtocolCode, ProtocolError } from '#schema/protocol/codec/codes.ts';
import { decodeFrames } from '#schema/protocol/codec/decode.ts';
import { FrameType } from '#schema/protocol/codec/frame.ts';
import { utf8 } from './support/link.ts';
import { expectWholeCredit, Owner, World } from './support/owner.ts';

const { CANCELLED, INTERNAL, PROTOCOL_ERROR, UNSUPPORTED } = ProtocolCode;

describe('an owner', () => {
  test('hears ACCEPT once, and none after a head', () => {
    const world = new World();
    const { plane, agent } = world.open();
    world.link.run();
    agent.stream?.accept();
    agent.stream?.accept();
    agent.stream?.head(utf8('200'));
    agent.stream?.accept();
    world.link.run();
    expect([plane.heard, world.link.plane.errors]).toEqual([['accept', 'head 200'], []]);
  });

  test('hears nothing after its own reset, and the peer hears it once', () => {
    const world = new World();
    const { plane, agent } = world.open();
    world.link.run();
    plane.stream?.reset(CANCELLED, 'enough');
    plane.stream?.reset(CANCELLED, 'again');
    agent.stream?.head(utf8('200'));
    agent.stream?.write(utf8('late'));
    world.link.run();
    world.link.cut();
    expect([plane.heard, agent.heard]).toEqual([[], [`reset ${CANCELLED}`]]);
  });

  test('that resets a stream before its OPEN was sent sends nothing at all', () => {
    const world = new World();
    const { plane } = world.open();
    plane.stream?.reset(CANCELLED, '');
    expect(world.link.plane.session.pull()).toBe(null);
    expectWholeCredit(world);
  });

  test('that resets its stream from a verb hears nothing more, FIN and its own fault included', () => {
    for (const fault of [false, true]) {
      const world = new World();
      const { plane, agent } = world.open(new Owner(1), new Owner(2), true);
      agent.onOpened = () => {
        agent.stream?.head(utf8('200'));
        agent.send(10, 10, 1);
      };
      plane.onData = () => {
        plane.stream?.reset(CANCELLED, '');
        if (fault) throw new Error('after its own reset');
      };
      world.link.run();
      expect(plane.heard).toEqual(['head 200']);
      expectWholeCredit(world);
    }
  });

  test('that gives two heads is at fault itself, and one of a stream that is gone is not queued', () => {
    const world = new World();
    const [first, second] = [world.open(), world.open()];
    world.link.run();
    first.agent.stream?.head(utf8('200'));
    expect(() => first.agent.stream?.head(utf8('200'))).toThrow('one head');
    second.agent.stream?.reset(CANCELLED, '');
    second.agent.stream?.head(utf8('200'));
    expect(second.agent.stream?.queued).toBe(0);
  });

  test('that consumes after the peer has ended gives credit to the session only', () => {
    const world = new World();
    const { plane, agent } = world.open(new Owner(1), new Owner(2, false));
    plane.send(65_536, 65_536, 2);
    world.link.run();
    agent.consume(65_536);
    const types: [type: number, sequence: number][] = [];
    decodeFrames(world.link.agent.session.pull() ?? new Uint8Array(0), ({ type, sequence }) =>
      types.push([type, sequence]),
    );
    expect(types).toEqual([[FrameType.WINDOW, 0]]);
  });

  test('that throws loses its own stream, with INTERNAL, and hears so; the others go on', () => {
    for (const verb of ['onOpened', 'onHead', 'onData', 'onEnd', 'onReset', 'onWritable'] as const) {
      const world = new World({ plane: { streamWindow: 1024 } });
      const fault = new Error('a fault of this end');
      const bad = { plane: new Owner(1), agent: new Owner(2) };
      const victim = verb === 'onOpened' || verb === 'onWritable' ? bad.agent : bad.plane;
      victim[verb] = () => {
        throw fault;
      };
      bad.agent.onOpened ??= () => {
        bad.agent.stream?.head(utf8('200'));
        bad.agent.stream?.write(new Uint8Array(300_000));
        bad.agent.stream?.end();
      };
      const good = world.open();
      world.open(bad.plane, bad.agent);
      good.agent.onOpened = () => good.agent.stream?.head(utf8('200'));
      if (verb === 'onReset') bad.agent.onOpened = () => bad.agent.stream?.reset(UNSUPPORTED, '');
      world.link.run();
      good.agent.send(500, 50, 1);
      good.plane.stream?.end();
      world.link.run();
      expect([verb, good.plane.received, good.plane.heard]).toEqual([verb, 500, ['head 200', 'end']]);
      bad.plane.stream?.reset(CANCELLED, '');
      world.link.run();
      if (verb !== 'onReset') {
        expect([...world.link.plane.faults, ...world.link.agent.faults]).toEqual([fault]);
        expect(bad.agent.heard).toContain(`reset ${INTERNAL}`);
      }
      expectWholeCredit(world);
    }
  });

  test('that refuses with a ProtocolError gives the reset its code', () => {
    const world = new World();
    const { plane, agent } = world.open();
    plane.onHead = () => {
      throw new ProtocolError(PROTOCOL_ERROR, 'status line');
    };
    agent.onOpened = () => agent.stream?.head(utf8('two hundred'));
    world.link.run();
    expect([plane.heard, agent.heard]).toEqual([[`reset ${PROTOCOL_ERROR}`], [`reset ${PROTOCOL_ERROR}`]]);
    expectWholeCredit(world);
  });

  test('that resets another stream when it loses its own silences that one', () => {
    const world = new World();
    const first = world.open();
    const second = world.open();
    first.plane.onReset = () => second.plane.stream?.reset(CANCELLED, '');
    world.link.run();
    world.link.cut();
    expect(second.plane.heard).toEqual([]);
  });
});
