import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import type { ScriptedAgent } from '../support/agent.ts';
import type { ServedStream } from '../support/served.ts';
import { makeWorld, type World } from '../support/world.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const TRACEPARENT = `00-${TRACE}-00f067aa0ba902b7-01`;

let world: World;
let agent: ScriptedAgent;
beforeAll(async () => {
  world = await makeWorld();
  agent = await world.agent();
});
afterAll(async () => await world.end());

let printed: string[];
beforeEach(() => {
  printed = [];
  vi.spyOn(console, 'log').mockImplementation((line: string) => void printed.push(line));
});
afterEach(() => vi.restoreAllMocks());

/** What the log says of requests. */
const lines = (): Record<string, unknown>[] =>
  printed.map((line) => JSON.parse(line) as Record<string, unknown>).filter(({ message }) => message === 'request');

async function exchange(
  headers: Record<string, string> = {},
  path = '/api/v1/pods?token=hunter2',
): Promise<{ stream: ServedStream; response: Response }> {
  const asked = world.fetch(path, { headers });
  const stream = await agent.next();
  stream.respond(200, 'ok');
  const response = await asked;
  await response.text();
  return { stream, response };
}

test('a request is one line in the log, by the id that the client and the cluster see', async () => {
  const { stream, response } = await exchange({ cookie: 'hunter2', 'x-secret': 'hunter2' });
  const requestId = response.headers.get('x-request-id');
  expect(requestId).toMatch(/^[a-z2-7]{16}$/);
  expect(lines()).toEqual([
    {
      time: expect.any(String),
      level: 'info',
      message: 'request',
      requestId,
      traceId: stream.field('traceparent')?.slice(3, 35),
      user: world.owner,
      cluster: world.id,
      method: 'GET',
      path: '/api/v1/pods',
      status: 200,
      milliseconds: expect.any(Number),
    },
  ]);
  expect(stream.field('x-request-id')).toBe(requestId);
  expect(printed.join('\n')).not.toContain('hunter2');
  expect(printed.join('\n')).not.toContain(world.token);
});

test('a client’s own request id is not taken for ours', async () => {
  const { stream, response } = await exchange({ 'x-request-id': 'mine' });
  expect(response.headers.get('x-request-id')).not.toBe('mine');
  expect(stream.field('x-request-id')).toBe(response.headers.get('x-request-id'));
});

test('the API server’s audit event has the request id, unless the client chose another', async () => {
  const { stream, response } = await exchange();
  expect(stream.field('audit-id')).toBe(response.headers.get('x-request-id'));
  expect((await exchange({ 'audit-id': 'of-the-client' })).stream.field('audit-id')).toBe('of-the-client');
});

test('a caller’s trace goes on to the cluster, and is in the log', async () => {
  const { stream } = await exchange({ traceparent: TRACEPARENT, tracestate: 'vendor=1' });
  expect(stream.field('traceparent')).toBe(TRACEPARENT);
  expect(stream.field('tracestate')).toBe('vendor=1');
  expect(lines()).toMatchObject([{ traceId: TRACE }]);
});

test.each([undefined, 'nonsense', `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`])(
  'where traceparent is %s a trace begins, without the caller’s state',
  async (traceparent) => {
    const { stream } = await exchange({
      tracestate: 'vendor=1',
      ...(traceparent === undefined ? {} : { traceparent }),
    });
    expect(stream.field('traceparent')).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
    expect(stream.field('tracestate')).toBeNull();
    expect(lines()).toMatchObject([{ traceId: stream.field('traceparent')?.slice(3, 35) }]);
  },
);

test('a refusal says its code, to the log and to the client', async () => {
  const token = await world.tokenFor({ user: 'u-aaaaaaaaaa' });
  const response = await world.fetch('/version', { token });
  expect(response.headers.get('outrider-code')).toBe('no_access');
  expect((await world.fetch('/version', { token: null })).status).toBe(401);
  expect(lines()).toMatchObject([
    { level: 'info', status: 403, code: 'no_access', user: 'u-aaaaaaaaaa' },
    { level: 'info', status: 401, code: 'unauthenticated' },
  ]);
  expect(lines()[1]).not.toHaveProperty('user');
});

test('an error of the cluster’s is none of the plane’s, and it cannot claim one', async () => {
  const asked = world.fetch('/version');
  (await agent.next()).respond(503, 'no', [['outrider-code', 'internal']]);
  expect((await asked).headers.has('outrider-code')).toBe(false);
  expect(lines()).toMatchObject([{ level: 'info', status: 503 }]);
  expect(lines()[0]).not.toHaveProperty('code');
});

test('a WebSocket is in the log when it opens', async () => {
  const asked = world.upgrade('/api/v1/namespaces/default/pods/web/exec?command=hunter2');
  const served = await agent.next();
  served.head(101);
  const response = await asked;
  expect(lines()).toMatchObject([
    { status: 101, path: '/api/v1/namespaces/default/pods/web/exec', requestId: response.headers.get('x-request-id') },
  ]);
  response.webSocket?.accept();
  response.webSocket?.close(1000);
});

test('an address of any length is a line of bounded length', async () => {
  await exchange({}, `/${'x'.repeat(10_000)}`);
  expect(printed.at(-1)?.length).toBeLessThan(2_000);
});
