import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ProtocolCode } from '#schema/protocol/codec/codes.ts';
import { StreamKind } from '#schema/protocol/codec/frame.ts';
import type { Stream, StreamHandler } from '#schema/protocol/flow/stream.ts';
import { AGENT_LIMITS, PLANE_LIMITS, RELIEF_CHECK_MS, STALLED_MS } from '#schema/protocol/limits.ts';
import { Session } from '#schema/protocol/session.ts';
import { Counters } from '../metrics/counters.ts';
import { Tunnel } from './tunnel.ts';

beforeEach(() => vi.useFakeTimers({ now: 1_000_000 }));
afterEach(() => vi.useRealTimers());

const QUIET: StreamHandler = { onData: () => undefined, onEnd: () => undefined, onReset: () => undefined };
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

// Tried without the timer: nobody is ended.
test('readers that sleep while others have no room are ended once they have slept too long, also where nothing more comes', async () => {
  const reset: number[] = [];
  const answers: Stream[] = [];
  const agent = new Session({
    role: 'agent',
    local: AGENT_LIMITS,
    handler: {
      onOpen: (stream) => {
        stream.handler = QUIET;
        answers.push(stream);
      },
      onHello: () => undefined,
      onGoaway: () => undefined,
      onPending: () => undefined,
      onError: (error) => expect.fail(error.message),
    },
  });
  const tunnel = new Tunnel(
    { send: (message) => agent.receive(message), close: () => undefined },
    {
      onHello: () => undefined,
      onDraining: () => undefined,
      onEnded: () => undefined,
      onIdle: () => undefined,
      // An agent that lives: this is about readers.
      pingedAt: () => Date.now(),
    },
    new Counters(0),
    Date.now(),
  );
  tunnel.settle(
    {
      state: 'settled',
      agent: { cluster: 'c-gaaaaaaaaaabbbbbbbb', publicKey: 'A'.repeat(43), generation: 1 },
      instance: 'a',
      epoch: 1,
      role: 'cluster',
      capabilities: ['http'],
      limits: AGENT_LIMITS,
      agentVersion: '',
      kubernetesVersion: '',
      settledAt: Date.now(),
      draining: false,
    },
    1,
  );
  agent.settle(PLANE_LIMITS);
  const asleep = PLANE_LIMITS.sessionWindow / PLANE_LIMITS.streamWindow;
  for (let i = 0; i < asleep; i++) {
    tunnel.open(StreamKind.HTTP, text('GET /'), true, { ...QUIET, onReset: (code) => void reset.push(code) });
  }
  await vi.advanceTimersByTimeAsync(0);
  for (const stream of answers) {
    stream.head(text('200'));
    stream.write(new Uint8Array(PLANE_LIMITS.streamWindow));
  }
  for (let message = agent.pull(); message !== null; message = agent.pull()) {
    tunnel.receive(Uint8Array.from(message).buffer, Date.now());
  }
  await vi.advanceTimersByTimeAsync(STALLED_MS - 1);
  expect(reset).toEqual([]);
  await vi.advanceTimersByTimeAsync(RELIEF_CHECK_MS + 1);
  expect(reset.length).toBeGreaterThan(0);
  expect(reset.length).toBeLessThan(asleep);
  expect(new Set(reset)).toEqual(new Set([ProtocolCode.LIMIT]));
});
