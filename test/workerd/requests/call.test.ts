import { afterEach, beforeEach, expect, test } from 'vitest';
import type { DirectoryConfig } from '#schema/directory/config.ts';
import type { DirectoryAnswer } from '#schema/directory/questions.ts';
import { ProtocolCode } from '#schema/protocol/codec/codes.ts';
import type { Asked } from '#workers/cluster/request/asked.ts';
import { MAX_CALLS } from '#workers/cluster/limits.ts';
import type { ScriptedAgent } from '../support/agent.ts';
import type { ServedStream } from '../support/served.ts';
import { makeWorld, type World } from '../support/world.ts';

let world: World;
beforeEach(async () => {
  world = await makeWorld();
});
afterEach(async () => await world.end());

const directory = { searchBase: 'DC=corp,DC=example', bindPassword: 'search-secret' } as DirectoryConfig;
const ask = async (): Promise<Asked<DirectoryAnswer>> =>
  await (await world.stub()).ask(world.id, { ask: 'test', directory });
const caller = async (): Promise<ScriptedAgent> => await world.agent({ capabilities: ['http', 'upgrade', 'call'] });
const GOOD = { is: 'good', server: 'dc1' } as const;

/** A question, and the agent's end of it. */
async function asked(): Promise<{ stream: ServedStream; outcome: Promise<Asked<DirectoryAnswer>> }> {
  const agent = await caller();
  const outcome = ask();
  return { stream: await agent.next(), outcome };
}

test('a question goes to the agent as the specification says, and its answer comes back', async () => {
  const { stream, outcome } = await asked();
  expect(stream.request).toEqual({ method: 'ASK', target: '/directory', fields: [['deadline', '20000']] });
  expect(JSON.parse(new TextDecoder().decode(await stream.body()))).toEqual({ ask: 'test', directory });
  stream.respond(200, JSON.stringify(GOOD));
  expect(await outcome).toEqual({ answer: GOOD });
  await world.quiet();
});

test.each<[string, (stream: ServedStream) => void, string]>([
  ['404', (stream) => stream.respond(404), 'agent_outdated'],
  ['400', (stream) => stream.respond(400), 'agent_outdated'],
  ['500', (stream) => stream.respond(500), 'agent_failed'],
  ['504', (stream) => stream.respond(504), 'agent_timeout'],
  ['no answer to a question', (stream) => stream.respond(200, '{"is":"else"}'), 'agent_failed'],
  ['no JSON', (stream) => stream.respond(200, '<html>'), 'agent_failed'],
  ['nothing', (stream) => stream.respond(200), 'agent_failed'],
  ['no UTF-8', (stream) => stream.respond(200, new Uint8Array([0x22, 0xff, 0x22])), 'agent_failed'],
  ['no status', (stream) => stream.stream.head(new TextEncoder().encode('200 yes'), true), 'agent_failed'],
  ['UNSUPPORTED', (stream) => stream.reset(ProtocolCode.UNSUPPORTED), 'agent_outdated'],
  ['OVERLOADED', (stream) => stream.reset(ProtocolCode.OVERLOADED), 'overloaded'],
  ['INTERNAL', (stream) => stream.reset(ProtocolCode.INTERNAL), 'tunnel_lost'],
])('an agent that answers %s is told from one that answers', async (_what, answer, code) => {
  const { stream, outcome } = await asked();
  answer(stream);
  expect(await outcome).toMatchObject({ refusal: { code } });
  await world.quiet();
});

test('an answer of more than 512 KiB is not taken', async () => {
  const { stream, outcome } = await asked();
  stream.head(200);
  stream.write(new Uint8Array(512 * 1024 + 1));
  expect(await outcome).toMatchObject({ refusal: { code: 'agent_failed' } });
  expect(await stream.wasReset()).toMatchObject({ code: ProtocolCode.LIMIT });
});

test('a person in a thousand groups fits', async () => {
  const objectGuid = '33221100-5544-7766-8899-aabbccddeeff';
  const groups = Array.from({ length: 1024 }, () => ({ objectGuid, name: 'x'.repeat(256) }));
  const person = { objectGuid, loginName: 'ada', displayName: 'Ada', enabled: true, groups };
  const { stream, outcome } = await asked();
  stream.respond(200, JSON.stringify({ is: 'person', person }));
  expect(await outcome).toEqual({ answer: { is: 'person', person } });
});

test('an agent that does not say that it serves calls is asked nothing, and has to be updated', async () => {
  const agent = await world.agent();
  expect(await ask()).toMatchObject({ refusal: { code: 'agent_outdated' } });
  expect(agent.session.openStreams).toBe(0);
});

test('without an agent there is nobody to ask', async () => {
  expect(await ask()).toMatchObject({ refusal: { code: 'tunnel_down' } });
});

test('a tunnel that is lost takes its questions with it', async () => {
  const agent = await caller();
  const outcome = ask();
  await agent.next();
  agent.hangUp();
  expect(await outcome).toMatchObject({ refusal: { code: 'tunnel_lost' } });
});

test('a question that crosses a drain goes to the next agent', async () => {
  const first = await world.agent({ capabilities: ['call'] });
  const outcome = ask();
  const crossed = await first.next();
  first.drain();
  const second = await caller();
  crossed.reset(ProtocolCode.DRAIN);
  (await second.next()).respond(200, JSON.stringify(GOOD));
  expect(await outcome).toEqual({ answer: GOOD });
});

test('no more than 32 questions are under way at once, and places become free again', async () => {
  const agent = await caller();
  const outcomes = Array.from({ length: MAX_CALLS }, ask);
  const streams: ServedStream[] = [];
  for (let i = 0; i < MAX_CALLS; i++) streams.push(await agent.next());
  expect(await ask()).toMatchObject({ refusal: { code: 'overloaded' } });
  for (const stream of streams) stream.respond(200, JSON.stringify(GOOD));
  await Promise.all(outcomes);
  const again = ask();
  (await agent.next()).respond(200, JSON.stringify(GOOD));
  expect(await again).toEqual({ answer: GOOD });
});

test('an object answers for no other cluster', async () => {
  const other = await makeWorld();
  const stub = await world.stub();
  expect(await stub.ask(other.id, { ask: 'test', directory })).toMatchObject({ refusal: { code: 'unknown_cluster' } });
});
