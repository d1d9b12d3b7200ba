import type { Dispatcher } from 'undici';
import { expect, it } from 'vitest';
import { StreamKind } from '#schema/protocol/codec/frame.ts';
import { encodeRequestHead } from '#schema/protocol/codec/head.ts';
import { AGENT_LIMITS, PLANE_LIMITS } from '#schema/protocol/limits.ts';
import type { SessionHandler } from '#schema/protocol/handler.ts';
import { Session } from '#schema/protocol/session.ts';
import { Account } from '../../kube/accounts.ts';
import { apiServer } from '../../kube/api-server.ts';
import { createLogger } from '../../log.ts';
import { AgentMetrics } from '../../metrics.ts';
import { serveHttp } from './http.ts';
import { Questions } from './call.ts';
import { Budget } from './upgrade/messages.ts';
import type { Upstream } from './upstream.ts';

const QUIET: SessionHandler = {
  onOpen: () => undefined,
  onHello: () => undefined,
  onGoaway: () => undefined,
  onPending: () => undefined,
  onError: (error) => {
    throw error;
  },
};

/** A PUT whose body of `size` came while the agent still waited for its token; gives what was then asked of the HTTP client, which is still connecting. */
async function put(size: number): Promise<{ options: Dispatcher.DispatchOptions; creditGiven: boolean }> {
  const token = Promise.withResolvers<{ token: string; expiresAt: number }>();
  const dispatched = Promise.withResolvers<Dispatcher.DispatchOptions>();
  const metrics = new AgentMetrics('0');
  const upstream: Upstream = {
    api: apiServer('https://127.0.0.1', '/nowhere'),
    pool: { dispatch: (options: Dispatcher.DispatchOptions) => dispatched.resolve(options) } as unknown as Dispatcher,
    proxy: new Account('proxy', () => token.promise),
    borrowed: new Budget(),
    questions: new Questions(new Map()),
    metrics,
    log: createLogger('error', () => undefined),
  };
  const plane = new Session({ role: 'plane', local: PLANE_LIMITS, handler: QUIET });
  const agent = new Session({
    role: 'agent',
    local: AGENT_LIMITS,
    handler: { ...QUIET, onOpen: (stream, head) => serveHttp(upstream, stream, head, metrics.opened(stream.kind)) },
  });
  plane.settle(AGENT_LIMITS);
  agent.settle(PLANE_LIMITS);
  const head = encodeRequestHead({ method: 'PUT', target: '/', fields: [['impersonate-user', 'u-alice']] });
  const stream = plane.open(StreamKind.HTTP, head, false, { ...QUIET, onData() {}, onEnd() {}, onReset() {} });
  stream.write(new Uint8Array(size));
  stream.end();
  for (let message = plane.pull(); message !== null; message = plane.pull()) agent.receive(message);
  token.resolve({ token: 'token', expiresAt: Date.now() + 3_600_000 });
  const options = await dispatched.promise;
  const creditGiven = agent.pending;
  agent.close('the test is over');
  return { options, creditGiven };
}

const lengthOf = ({ headers }: Dispatcher.DispatchOptions): unknown =>
  Array.isArray(headers) ? headers[headers.indexOf('content-length') + 1] : undefined;

it('sends a small body that has come in one piece', async () => {
  const { options } = await put(10_000);
  expect(options.body).toBeInstanceOf(Buffer);
  expect(lengthOf(options)).toBe('10000');
});

it('gives no credit for a larger one before its connection takes it, though all of it has come', async () => {
  const { options, creditGiven } = await put(AGENT_LIMITS.streamWindow / 2);
  expect(creditGiven).toBe(false);
  expect(lengthOf(options)).toBe(String(AGENT_LIMITS.streamWindow / 2));
});
