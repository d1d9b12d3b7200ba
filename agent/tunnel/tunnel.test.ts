import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { WebSocket } from 'ws';
import { ProtocolCode } from '#schema/protocol/codec/codes.ts';
import {
  AGENT_LIMITS,
  HELLO_TIMEOUT_MS,
  PING_INTERVAL_MS,
  PULL_BYTES,
  RELIEF_CHECK_MS,
  SILENCE_MS,
  STALLED_MS,
} from '#schema/protocol/limits.ts';
import { Session } from '#schema/protocol/session.ts';
import type { Stream, StreamHandler } from '#schema/protocol/flow/stream.ts';
import { agentKey, PlaneEnd, StalledSocket } from '#test/support/fakes/tunnel-ends.ts';
import { createLogger } from '../log.ts';
import { AgentMetrics } from '../metrics.ts';
import { MAX_BUFFERED_BYTES, Tunnel, type TunnelEnd } from './tunnel.ts';

const MiB = 1024 * 1024;
const QUIET: StreamHandler = { onData: () => undefined, onEnd: () => undefined, onReset: () => undefined };
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

let socket: StalledSocket;
let tunnel: Tunnel;
let ends: TunnelEnd[];
let served: Stream | null;
let plane: PlaneEnd;

beforeEach(async () => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate', 'performance'],
  });
  socket = new StalledSocket();
  ends = [];
  served = null;
  tunnel = new Tunnel({
    socket: socket as unknown as WebSocket,
    claim: {
      cluster: 'c-1',
      instance: 'a'.repeat(16),
      epoch: 1,
      role: 'cluster',
      capabilities: [],
      limits: AGENT_LIMITS,
      agentVersion: '0',
      kubernetesVersion: 'v1.34.2',
      privateKey: await agentKey(),
    },
    serve: (stream) => {
      served = stream;
      stream.handler = QUIET;
    },
    events: { onSettled: () => undefined, onDrain: () => undefined, onClosed: (end) => void ends.push(end) },
    metrics: new AgentMetrics('0'),
    log: createLogger('error', () => undefined),
  });
  plane = new PlaneEnd(socket);
});
afterEach(() => {
  tunnel.terminate('the test is over');
  vi.useRealTimers();
});

// Tried with a flush that does not look: all three MiB are in the socket.
it('leaves what waits to the session while the socket holds a megabyte, so that small frames pass by', async () => {
  await plane.settle();
  let received = 0;
  const owner: StreamHandler = { ...QUIET, onData: (data) => void (received += data.byteLength) };
  plane.session.open(1, text('GET /'), true, owner);
  plane.toAgent();
  served?.head(text('200'));
  for (let i = 0; i < 3; i++) served?.write(new Uint8Array(MiB));
  await vi.advanceTimersByTimeAsync(100);
  expect(socket.bufferedAmount).toBeGreaterThan(MAX_BUFFERED_BYTES / 2);
  expect(socket.bufferedAmount).toBeLessThanOrEqual(MAX_BUFFERED_BYTES + PULL_BYTES);
  while (socket.bufferedAmount > 0) {
    plane.fromAgent();
    await vi.advanceTimersByTimeAsync(100);
  }
  expect(received).toBe(3 * MiB);
});

it('gives up a plane that does not finish HELLO', async () => {
  await vi.advanceTimersByTimeAsync(HELLO_TIMEOUT_MS - 1);
  expect(ends).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(ends).toMatchObject([{ settledMs: null, reason: 'the plane did not finish HELLO in time' }]);
});

it('pings, and gives up a plane that has not answered for long', async () => {
  await plane.settle();
  await vi.advanceTimersByTimeAsync(SILENCE_MS);
  expect(socket.texts).toEqual(Array.from({ length: 1 + Math.floor(SILENCE_MS / PING_INTERVAL_MS) }, () => 'ping'));
  expect(ends).toEqual([]);
  await vi.advanceTimersByTimeAsync(PING_INTERVAL_MS);
  expect(ends).toMatchObject([{ reason: 'the plane fell silent' }]);
});

it('closes with a code that exists, whatever code the plane made up', async () => {
  await plane.settle();
  plane.session.goaway(60_000 as ProtocolCode, 'made up');
  plane.toAgent();
  expect(socket.closedWith).toBe(4999);
});

// Tried with a ping that restarts the clock: the second answer seems to have come within a millisecond.
it('a late pong belongs to the first ping that is due: a stall does not make the round trip look short', async () => {
  const samples = vi.spyOn(Session.prototype, 'sampleRoundTrip');
  await plane.settle();
  await vi.advanceTimersByTimeAsync(PING_INTERVAL_MS);
  expect(socket.texts).toEqual(['ping', 'ping']);
  await vi.advanceTimersByTimeAsync(1);
  plane.pong();
  plane.pong();
  await vi.advanceTimersByTimeAsync(PING_INTERVAL_MS);
  await vi.advanceTimersByTimeAsync(7);
  plane.pong();
  expect(samples.mock.calls).toEqual([[PING_INTERVAL_MS + 1], [8]]);
});

// Tried without the timer: nobody is ended.
it('looks once a second at readers that sleep while others have no room, and ends those that have slept too long', async () => {
  await plane.settle();
  const reset: number[] = [];
  const asleep = 250;
  for (let i = 0; i < asleep; i++) {
    const upload = plane.session.open(1, text('PUT /'), false, {
      ...QUIET,
      onReset: (code) => void reset.push(code),
    });
    upload.write(new Uint8Array(AGENT_LIMITS.streamWindow));
  }
  plane.toAgent();
  await vi.advanceTimersByTimeAsync(STALLED_MS - 1);
  plane.fromAgent();
  expect(reset).toEqual([]);
  await vi.advanceTimersByTimeAsync(RELIEF_CHECK_MS + 1);
  plane.fromAgent();
  expect(reset.length).toBeGreaterThan(0);
  expect(reset.length).toBeLessThan(asleep);
  expect(new Set(reset)).toEqual(new Set([ProtocolCode.LIMIT]));
  expect(vi.getTimerCount()).toBe(1);
});
