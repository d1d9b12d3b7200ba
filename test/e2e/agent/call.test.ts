import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { ProtocolCode } from '#schema/protocol/codec/codes.ts';
import { StreamKind } from '#schema/protocol/codec/frame.ts';
import type { Field } from '#schema/protocol/codec/head.ts';
import { MAX_QUESTION_BYTES } from '#schema/protocol/limits.ts';
import { startAgentInProcess } from '../../support/processes/agent.ts';
import { FakeDirectory } from '../../support/fakes/directory.ts';
import type { Exchange, PlaneTunnel } from '../../support/fakes/plane.ts';
import { FakeWorld, makePki, type TestPki } from '../../support/fakes/world.ts';

let pki: TestPki;
let world: FakeWorld;
let tunnel: PlaneTunnel;
let directory: FakeDirectory;

beforeAll(async () => {
  pki = await makePki();
});
afterAll(() => pki.remove());
beforeEach(async () => {
  world = await FakeWorld.make(pki, startAgentInProcess);
  ({ tunnel } = await world.connect());
  directory = await FakeDirectory.start({ caPem: pki.caPem, ...pki.identity }, 'ldaps');
});
afterEach(async () => {
  await world.stop();
  await directory.stop();
});

interface Call {
  target?: string;
  fields?: Field[];
  method?: string;
  body?: string | Uint8Array;
}

function call({ target = '/directory', fields = [['deadline', '20000']], method = 'ASK', body }: Call): Exchange {
  return tunnel.open(StreamKind.CALL, { method, target, fields, ...(body === undefined ? {} : { body }) });
}
const question = (change: object = {}): string =>
  JSON.stringify({ ask: 'signIn', directory: directory.config(), name: 'ada', password: 'ada-secret', ...change });
/** A directory that says nothing. */
const silent = (): void => {
  directory.onRequest = () => undefined;
};

it('tells the plane that it serves calls', () => {
  expect(tunnel.proof?.capabilities).toEqual(['http', 'upgrade', 'call']);
});

it('answers a question with 200 and JSON', async () => {
  const asked = call({ body: question() });
  expect((await asked.head()).status).toBe(200);
  expect(JSON.parse(await asked.text())).toEqual({ is: 'person', person: null });
});

it.each<[string, Call, number]>([
  ['a question that it does not know', { target: '/weather', body: '{}' }, 404],
  ['one that is named as what every object has', { target: '/constructor', body: '{}' }, 404],
  ['what is not JSON', { body: '{' }, 400],
  ['what is not UTF-8', { body: Buffer.from([0x22, 0xff, 0x22]) }, 400],
  ['nothing', {}, 400],
  ['what its schema does not take', { body: '{"ask":"test"}' }, 400],
])('answers %s with %s', async (_what, asked, status) => {
  const exchange = call(asked);
  expect((await exchange.head()).status).toBe(status);
  expect(await exchange.text()).toBe('');
});

it('does not ask a directory with an empty password', async () => {
  const exchange = call({ body: question({ password: '' }) });
  expect((await exchange.head()).status).toBe(400);
  expect(directory.connections).toBe(0);
});

it.each<[string, Call]>([
  ['another method', { method: 'GET' }],
  ['no deadline', { fields: [] }],
  ['a deadline that is too long', { fields: [['deadline', '60001']] }],
])('resets a head with %s', async (_what, asked) => {
  expect((await call({ ...asked, body: question() }).reset()).code).toBe(ProtocolCode.PROTOCOL_ERROR);
  expect(directory.connections).toBe(0);
});

it('a question of more than 64 KiB is reset with LIMIT', async () => {
  const most = call({ body: `"${'x'.repeat(MAX_QUESTION_BYTES - 2)}"` });
  expect((await most.head()).status).toBe(400);
  const longer = call({ body: `"${'x'.repeat(MAX_QUESTION_BYTES - 1)}"` });
  expect((await longer.reset()).code).toBe(ProtocolCode.LIMIT);
});

it('accepts a question whose answer is slow, and says 504 when its deadline passes; the directory is left', async () => {
  silent();
  const asked = call({ fields: [['deadline', '1500']], body: question() });
  await asked.accept();
  expect((await asked.head()).status).toBe(504);
  await directory.until(() => directory.open === 0);
});

it('leaves the directory when the plane gives up', async () => {
  silent();
  const asked = call({ body: question() });
  await directory.until(() => directory.requests.length === 1);
  asked.stream.reset(ProtocolCode.CANCELLED, 'the person went away');
  await directory.until(() => directory.open === 0);
});

it('no more than sixteen questions are taken at once', async () => {
  silent();
  const asked = Array.from({ length: 16 }, () => call({ body: question() }));
  expect((await call({ body: question() }).reset()).code).toBe(ProtocolCode.OVERLOADED);
  await directory.until(() => directory.requests.length === 16);
  // A place becomes free with its question.
  asked[0]?.stream.reset(ProtocolCode.CANCELLED, '');
  await directory.until(() => directory.open === 15);
  expect((await call({ body: '{' }).head()).status).toBe(400);
});

it('logs no question', async () => {
  const { agent } = await world.connect();
  const exchange = call({ body: question({ directory: { ...directory.config(), servers: ['127.0.0.2'] } }) });
  await exchange.text();
  expect(JSON.stringify(agent.log)).not.toMatch(/ada|search-secret/);
});
