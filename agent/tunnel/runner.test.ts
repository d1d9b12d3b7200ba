import { afterEach, expect, it, vi } from 'vitest';
import type { WebSocket } from 'ws';
import { ProtocolCode } from '#schema/protocol/codec/codes.ts';
import type { StreamHandler } from '#schema/protocol/flow/stream.ts';
import { DRAIN_MS } from '#schema/protocol/limits.ts';
import { agentKey, PlaneEnd, StalledSocket } from '#test/support/fakes/tunnel-ends.ts';
import { createLogger } from '../log.ts';
import { AgentMetrics } from '../metrics.ts';
import { PlaneRefusal } from './plane.ts';
import { type Ended, ReconnectPolicy } from './reconnect.ts';
import { type Enrolment, TunnelRunner } from './runner.ts';

/** Notes how attempts ended, and does not wait. */
class Impatient extends ReconnectPolicy {
  readonly ends: string[] = [];
  override next(ended: Ended): number {
    this.ends.push(ended.how);
    return 0;
  }
}

async function enrolment(credential: string): Promise<Enrolment> {
  return { cluster: 'c-1', credential, privateKey: await agentKey(), kubernetesVersion: 'v1.34.2' };
}

afterEach(() => vi.useRealTimers());

it.each([401, 404])(
  'dials with its stored credential again after a %i, at the slow pace, when it cannot register',
  async (status) => {
    const policy = new Impatient();
    const stored = await enrolment('stored');
    const steps: string[] = [];
    const runner: TunnelRunner = new TunnelRunner({
      instance: 'a'.repeat(16),
      role: 'cluster',
      agentVersion: '0',
      capabilities: [],
      enrol: (rejected) => {
        steps.push(`enrol ${rejected ?? 'as stored'}`);
        return rejected === null ? Promise.resolve(stored) : Promise.reject(new Error('no registration token'));
      },
      dial: (credential) => {
        steps.push(`dial ${credential}`);
        if (steps.length > 4) runner.kill('the test is over');
        return Promise.reject(new PlaneRefusal(status, 'no'));
      },
      serve: () => undefined,
      metrics: new AgentMetrics('0'),
      log: createLogger('error', () => undefined),
      policy,
    });
    await runner.run();
    expect(steps).toEqual(['enrol as stored', 'dial stored', 'enrol stored', 'enrol as stored', 'dial stored']);
    expect(policy.ends).toEqual(['refused', 'refused']);
  },
);

it('dials at once with what a new registration gave', async () => {
  const policy = new Impatient();
  const steps: string[] = [];
  const [stored, fresh] = await Promise.all([enrolment('stored'), enrolment('fresh')]);
  const runner: TunnelRunner = new TunnelRunner({
    instance: 'a'.repeat(16),
    role: 'cluster',
    agentVersion: '0',
    capabilities: [],
    enrol: (rejected) => Promise.resolve(rejected === null ? stored : fresh),
    dial: (credential) => {
      steps.push(credential);
      if (credential === 'fresh') runner.kill('the test is over');
      return Promise.reject(new PlaneRefusal(401, 'no'));
    },
    serve: () => undefined,
    metrics: new AgentMetrics('0'),
    log: createLogger('error', () => undefined),
    policy,
  });
  await runner.run();
  expect(steps).toEqual(['stored', 'fresh']);
});

it.each([
  ['nothing listens', Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }), 'away'],
  ['there is no way', Object.assign(new Error('connect'), { code: 'EHOSTUNREACH' }), 'away'],
  ['the connection breaks', Object.assign(new Error('read'), { code: 'ECONNRESET' }), 'away'],
  ['nothing is answered', new Error('the plane did not answer in time'), 'failed'],
  ['the answer is 503', new PlaneRefusal(503, 'no'), 'failed'],
  ['the answer is 429', new PlaneRefusal(429, 'no'), 'failed'],
])('where %s, that is what its pace follows', async (_, error, how) => {
  const policy = new Impatient();
  let dials = 0;
  const stored = await enrolment('stored');
  const runner: TunnelRunner = new TunnelRunner({
    instance: 'a'.repeat(16),
    role: 'cluster',
    agentVersion: '0',
    capabilities: [],
    enrol: () => Promise.resolve(stored),
    dial: () => {
      if (++dials > 1) runner.kill('the test is over');
      return Promise.reject(error);
    },
    serve: () => undefined,
    metrics: new AgentMetrics('0'),
    log: createLogger('error', () => undefined),
    policy,
  });
  await runner.run();
  expect(policy.ends).toEqual([how]);
});

/** An agent with one tunnel, one stream on it that never ends, and no other plane to go to. */
async function withEndlessStream(): Promise<{ runner: TunnelRunner; plane: PlaneEnd; socket: StalledSocket }> {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate', 'performance'],
  });
  const stored = await enrolment('stored');
  const socket = new StalledSocket();
  let dials = 0;
  const runner = new TunnelRunner({
    instance: 'a'.repeat(16),
    role: 'cluster',
    agentVersion: '0',
    capabilities: [],
    enrol: () => Promise.resolve(stored),
    dial: () =>
      dials++ === 0 ? Promise.resolve(socket as unknown as WebSocket) : Promise.reject(new Error('no other plane')),
    serve: (stream) => void (stream.handler = QUIET),
    metrics: new AgentMetrics('0'),
    log: createLogger('error', () => undefined),
    sleep: (_ms, signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve())),
  });
  void runner.run();
  await vi.advanceTimersByTimeAsync(0);
  const plane = new PlaneEnd(socket);
  await plane.settle();
  plane.session.open(1, new TextEncoder().encode('GET /'), true, QUIET);
  plane.toAgent();
  return { runner, plane, socket };
}

const QUIET: StreamHandler = { onData: () => undefined, onEnd: () => undefined, onReset: () => undefined };

/** The plane goes on answering pings for so long. */
async function pass(plane: PlaneEnd, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 1000) {
    await vi.advanceTimersByTimeAsync(Math.min(left, 1000));
    plane.fromAgent();
    plane.pong();
  }
}

// Tried without the timer: the tunnel stays.
it('a tunnel that the plane drains ends when its streams have had their time', async () => {
  const { runner, plane, socket } = await withEndlessStream();
  plane.session.goaway(ProtocolCode.DRAIN, 'a deploy');
  plane.toAgent();
  await pass(plane, DRAIN_MS - 1);
  expect(socket.closedWith).toBeNull();
  await pass(plane, 1);
  expect(socket.closedWith).toBe(1006);
  expect(runner.connected).toBe(false);
  runner.kill('the test is over');
});

it('an agent that stops gives its streams the same time, and no more', async () => {
  const { runner, plane, socket } = await withEndlessStream();
  const stopped = vi.fn();
  void runner.stop().then(stopped);
  await pass(plane, DRAIN_MS - 1);
  expect([socket.closedWith, stopped.mock.calls.length]).toEqual([null, 0]);
  await pass(plane, 1);
  expect([socket.closedWith, stopped.mock.calls.length]).toEqual([1006, 1]);
});
