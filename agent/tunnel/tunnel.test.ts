import { generateKeyPairSync, webcrypto } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { WebSocket } from 'ws';
import type { ProtocolCode } from '#schema/protocol/codec/codes.ts';
import type { Challenge, Settled } from '#schema/protocol/codec/hello.ts';
import { AGENT_LIMITS, HELLO_TIMEOUT_MS, PING_INTERVAL_MS, PULL_BYTES, SILENCE_MS } from '#schema/protocol/limits.ts';
import { Session } from '#schema/protocol/session.ts';
import type { Stream, StreamHandler } from '#schema/protocol/flow/stream.ts';
import { createLogger } from '../log.ts';
import { AgentMetrics } from '../metrics.ts';
import { MAX_BUFFERED_BYTES, Tunnel, type TunnelEnd } from './tunnel.ts';

const MiB = 1024 * 1024;
const LIMITS = { streamWindow: 8 * MiB, sessionWindow: 8 * MiB, maxStreams: 10 };
const QUIET: StreamHandler = { onData: () => undefined, onEnd: () => undefined, onReset: () => undefined };
const bytes = (value: object): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

/** A socket that keeps what it is given until the test says that it has left. */
class StalledSocket extends EventEmitter {
  readonly OPEN = 1;
  readyState = 1;
  readonly texts: string[] = [];
  closedWith: number | null = null;
  #waiting: { message: Uint8Array; left: () => void }[] = [];

  get bufferedAmount(): number {
    return this.#waiting.reduce((sum, { message }) => sum + message.byteLength, 0);
  }
  resume(): void {}
  send(message: Uint8Array | string, left: () => void = () => undefined): void {
    if (typeof message === 'string') this.texts.push(message);
    else this.#waiting.push({ message, left });
  }
  /** Lets everything leave. */
  leave(): Uint8Array[] {
    const gone = this.#waiting.splice(0);
    for (const { left } of gone) left();
    return gone.map(({ message }) => message);
  }
  close(code: number): void {
    this.closedWith ??= code;
    this.readyState = 3;
    this.emit('close', code, Buffer.alloc(0));
  }
  terminate(): void {
    this.close(1006);
  }
}

let socket: StalledSocket;
let tunnel: Tunnel;
let ends: TunnelEnd[];
let served: Stream | null;
let plane: Session;

beforeEach(async () => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate', 'performance'],
  });
  socket = new StalledSocket();
  ends = [];
  served = null;
  const { privateKey } = generateKeyPairSync('ed25519');
  const pkcs8 = privateKey.export({ format: 'der', type: 'pkcs8' });
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
      privateKey: await webcrypto.subtle.importKey('pkcs8', pkcs8, 'Ed25519', false, ['sign']),
    },
    serve: (stream) => {
      served = stream;
      stream.handler = QUIET;
    },
    events: { onSettled: () => undefined, onDrain: () => undefined, onClosed: (end) => void ends.push(end) },
    metrics: new AgentMetrics('0'),
    log: createLogger('error', () => undefined),
  });
  plane = new Session({
    role: 'plane',
    local: LIMITS,
    handler: {
      onOpen: () => undefined,
      onHello: () => undefined,
      onGoaway: () => undefined,
      onPending: () => undefined,
      onError: (error) => expect.fail(error.message),
    },
  });
});
afterEach(() => {
  tunnel.terminate('the test is over');
  vi.useRealTimers();
});

/** Before time is taken over: a signature takes real time. */
const turn = setImmediate;

/** Takes the plane's part in HELLO, to its end. */
async function settle(): Promise<void> {
  const challenge: Challenge = { step: 'challenge', versions: [1], nonce: 'n'.repeat(43), limits: LIMITS };
  plane.hello(bytes(challenge));
  toAgent();
  while (socket.bufferedAmount === 0) {
    await new Promise((resolve) => turn(resolve));
    await vi.advanceTimersByTimeAsync(0);
  }
  toPlane();
  const settled: Settled = { step: 'settled', version: 1, standby: false };
  plane.hello(bytes(settled));
  plane.settle(AGENT_LIMITS);
  toAgent();
}

function toPlane(): void {
  for (const message of socket.leave()) plane.receive(message);
}

function toAgent(): void {
  for (let message = plane.pull(); message !== null; message = plane.pull()) {
    socket.emit('message', Buffer.from(message), true);
  }
}

// Tried with a flush that does not look: all three MiB are in the socket.
it('leaves what waits to the session while the socket holds a megabyte, so that small frames pass by', async () => {
  await settle();
  let received = 0;
  const owner: StreamHandler = { ...QUIET, onData: (data) => void (received += data.byteLength) };
  plane.open(1, new TextEncoder().encode('GET /'), true, owner);
  toAgent();
  served?.head(new TextEncoder().encode('200'));
  for (let i = 0; i < 3; i++) served?.write(new Uint8Array(MiB));
  await vi.advanceTimersByTimeAsync(100);
  expect(socket.bufferedAmount).toBeGreaterThan(MAX_BUFFERED_BYTES / 2);
  expect(socket.bufferedAmount).toBeLessThanOrEqual(MAX_BUFFERED_BYTES + PULL_BYTES);
  while (socket.bufferedAmount > 0) {
    toPlane();
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
  await settle();
  await vi.advanceTimersByTimeAsync(SILENCE_MS);
  expect(socket.texts).toEqual(Array.from({ length: 1 + Math.floor(SILENCE_MS / PING_INTERVAL_MS) }, () => 'ping'));
  expect(ends).toEqual([]);
  await vi.advanceTimersByTimeAsync(PING_INTERVAL_MS);
  expect(ends).toMatchObject([{ reason: 'the plane fell silent' }]);
});

it('closes with a code that exists, whatever code the plane made up', async () => {
  await settle();
  plane.goaway(60_000 as ProtocolCode, 'made up');
  toAgent();
  expect(socket.closedWith).toBe(4999);
});
