import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ProtocolCode } from '#schema/protocol/codec/codes.ts';
import { Batch, encodeCode } from '#schema/protocol/codec/encode.ts';
import { FrameType, StreamKind } from '#schema/protocol/codec/frame.ts';
import { PING_INTERVAL_MS, PLANE_LIMITS, SILENCE_MS } from '#schema/protocol/limits.ts';
import { Counters } from '../metrics/counters.ts';
import { ANSWER_MS, MAX_WAITING, SILENCE_CHECK_MS, TUNNEL_RECENTLY_MS, TUNNEL_WAIT_MS } from '../limits.ts';
import { Pool } from './pool.ts';
import { Tunnel } from './tunnel.ts';

beforeEach(() => vi.useFakeTimers({ now: 1_000_000 }));
afterEach(() => vi.useRealTimers());

const FOREVER = new AbortController().signal;

/** A pool whose tunnels write nowhere. */
function make(lostAt: number | null = null) {
  const world = { lostAt, pingedAt: new Map<Tunnel, number>(), closed: [] as number[] };
  const pool = new Pool({
    now: Date.now,
    pingedAt: (tunnel) => world.pingedAt.get(tunnel) ?? 0,
    lostAt: () => world.lostAt,
    setLostAt: (at) => (world.lostAt = at),
  });
  const tunnel = (instance: string, epoch = 1): Tunnel => {
    const made = new Tunnel(
      { send: () => undefined, close: (code) => void world.closed.push(code) },
      {
        onHello: () => undefined,
        onDraining: (from) => pool.changed(from, false),
        onEnded: (from) => pool.changed(from, true),
        onIdle: () => undefined,
        pingedAt: (from) => world.pingedAt.get(from) ?? 0,
      },
      new Counters(0),
      Date.now(),
    );
    const agent = { cluster: 'c-gaaaaaaaaaabbbbbbbb', publicKey: 'A'.repeat(43), generation: 1 };
    const versions = { agentVersion: '', kubernetesVersion: '' };
    made.settle(
      {
        state: 'settled',
        agent,
        instance,
        epoch,
        role: 'cluster',
        capabilities: [],
        limits: PLANE_LIMITS,
        ...versions,
        settledAt: Date.now(),
        draining: false,
      },
      1,
    );
    return made;
  };
  return { world, pool, tunnel };
}

test('a request waits for a tunnel that was lost just now, and gets the next', async () => {
  const { pool, tunnel } = make(Date.now());
  const waiting = pool.wait(FOREVER);
  const next = tunnel('a');
  pool.add(next);
  expect(await waiting).toBe(next);
});

test('it waits no longer than its time', async () => {
  const { pool } = make(Date.now());
  const waiting = pool.wait(FOREVER);
  await vi.advanceTimersByTimeAsync(TUNNEL_WAIT_MS);
  expect(await waiting).toBeNull();
});

test('nobody waits for a tunnel that has been gone for long', async () => {
  const { pool } = make(Date.now() - TUNNEL_RECENTLY_MS);
  expect(await pool.wait(FOREVER)).toBeNull();
});

test('a request whose client goes away waits no more', async () => {
  const { pool } = make(Date.now());
  const controller = new AbortController();
  const waiting = pool.wait(controller.signal);
  controller.abort();
  expect(await waiting).toBeNull();
  expect(await pool.wait(controller.signal)).toBeNull();
});

test('no more than so many wait, and places become free again', async () => {
  const { pool } = make(Date.now());
  const controller = new AbortController();
  const waiting = Array.from({ length: MAX_WAITING }, async () => await pool.wait(controller.signal));
  await expect(pool.wait(FOREVER)).rejects.toMatchObject({ code: 'overloaded' });
  controller.abort();
  await Promise.all(waiting);
  const again = pool.wait(FOREVER);
  await vi.advanceTimersByTimeAsync(TUNNEL_WAIT_MS - 1);
  expect(vi.getTimerCount()).toBe(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(await again).toBeNull();
});

test('the moment is noted when the last tunnel is lost, and forgotten with the next', () => {
  const { world, pool, tunnel } = make();
  const first = tunnel('a');
  const second = tunnel('b');
  pool.add(first);
  pool.add(second);
  first.lost('gone');
  expect(world.lostAt).toBeNull();
  second.lost('gone');
  expect(world.lostAt).toBe(Date.now());
  pool.add(tunnel('c'));
  expect(world.lostAt).toBeNull();
});

test('a silent tunnel is ended by the next request, at most once a second', () => {
  const { world, pool, tunnel } = make();
  pool.add(tunnel('a'));
  expect(pool.active()).not.toBeNull();
  vi.advanceTimersByTime(SILENCE_MS + 1);
  expect(pool.active()).toBeNull();
  expect(world.closed).toEqual([4000 + ProtocolCode.CANCELLED]);
  expect(pool.size).toBe(0);
});

describe('a tunnel whose answer has begun', () => {
  const answering = async () => {
    const world = make();
    const tunnel = world.tunnel('a');
    world.pool.add(tunnel);
    const handler = { onData: () => undefined, onEnd: () => undefined, onReset: vi.fn() };
    const stream = tunnel.open(StreamKind.HTTP, new TextEncoder().encode('GET /watch'), true, handler);
    // The OPEN leaves at the end of this turn.
    await Promise.resolve();
    const head = new Batch();
    head.add(FrameType.HEAD, 0, 1, stream.sequence, new TextEncoder().encode('200'));
    tunnel.receive(head.finish().buffer, Date.now());
    return { ...world, tunnel, stream, handler };
  };

  test('ends once it is silent, though nobody asks for anything: its watches would hang for ever', async () => {
    const { handler, world } = await answering();
    vi.advanceTimersByTime(SILENCE_MS);
    expect(handler.onReset).not.toHaveBeenCalled();
    vi.advanceTimersByTime(2 * ANSWER_MS);
    expect(handler.onReset).toHaveBeenCalledWith(ProtocolCode.TUNNEL_LOST, expect.any(String));
    expect(world.closed).toEqual([4000 + ProtocolCode.CANCELLED]);
  });

  test('stays while its agent pings', async () => {
    const { world, tunnel, handler } = await answering();
    for (let pings = 0; pings < 10; pings++) {
      vi.advanceTimersByTime(PING_INTERVAL_MS);
      world.pingedAt.set(tunnel, Date.now());
    }
    expect(handler.onReset).not.toHaveBeenCalled();
  });

  test('leaves no timer that keeps the object awake once its streams are done', async () => {
    const { stream } = await answering();
    stream.reset(ProtocolCode.CANCELLED, '');
    vi.advanceTimersByTime(ANSWER_MS);
    expect(vi.getTimerCount()).toBe(0);
  });
});

test('a tunnel that only pings stays elected, also when another is added', () => {
  const { world, pool, tunnel } = make();
  const first = tunnel('a');
  pool.add(first);
  vi.advanceTimersByTime(SILENCE_MS + SILENCE_CHECK_MS);
  world.pingedAt.set(first, Date.now() - 1);
  pool.add(tunnel('b'));
  expect(pool.active()).toBe(first);
});

test('a newer dial ends the older of its instance; an older one is refused', () => {
  const { world, pool, tunnel } = make();
  pool.add(tunnel('a', 2));
  expect(pool.add(tunnel('a', 1))).toBe(false);
  const newer = tunnel('a', 3);
  expect(pool.add(newer)).toBe(true);
  expect(world.closed).toEqual([4000 + ProtocolCode.SUPERSEDED]);
  expect(pool.active()).toBe(newer);
});

test('the streams of a draining tunnel go on beside the next dial of its instance', () => {
  const { world, pool, tunnel } = make();
  const first = tunnel('a', 1);
  pool.add(first);
  const heard: number[] = [];
  const handler = { onData: () => undefined, onEnd: () => undefined, onReset: (code: number) => void heard.push(code) };
  first.open(StreamKind.HTTP, new TextEncoder().encode('GET /'), true, handler);
  const drain = new Batch();
  drain.add(FrameType.GOAWAY, 0, 0, 0, encodeCode(ProtocolCode.DRAIN, '', 100));
  first.receive(drain.finish().buffer, Date.now());
  expect(pool.active()).toBeNull();
  const next = tunnel('a', 2);
  pool.add(next);
  expect(pool.active()).toBe(next);
  expect([heard, world.closed, first.openStreams]).toEqual([[], [], 1]);
});

test('a socket that breaks while its tunnel is being ended is closed once', () => {
  const ended: string[] = [];
  const tunnel = new Tunnel(
    {
      send: () => {
        throw new Error('the socket is closed');
      },
      close: () => undefined,
    },
    {
      onHello: () => undefined,
      onDraining: () => undefined,
      onEnded: (_, reason) => void ended.push(reason),
      onIdle: () => undefined,
      pingedAt: () => 0,
    },
    new Counters(0),
    0,
  );
  tunnel.end(ProtocolCode.CANCELLED, 'over');
  tunnel.end(ProtocolCode.CANCELLED, 'over');
  expect(ended).toHaveLength(1);
});
