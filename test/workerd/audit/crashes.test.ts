import { runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { atStage, AuditEvent } from '#schema/audit/event.ts';
import { landEvents } from '#workers/store/audit.ts';
import type { ScriptedAgent } from '../support/agent.ts';
import { makeWorld, type World } from '../support/world.ts';
import { landed, told } from './events.ts';

// An object that dies at each step of a call. Checked by taking out, one at a time: the insert before the dispatch, IGNORE in the database's insert, and the look at what nobody
// waits for any more (`Storage`, at its beginning). Each time a test failed.

const PODS = '/api/v1/namespaces/default/pods';

let world: World;
let agent: ScriptedAgent;
beforeEach(async () => {
  world = await makeWorld();
  agent = await world.agent();
});
afterEach(async () => {
  await world.end();
});

interface Row {
  open: number;
  code: number | null;
  answered_at: number | null;
  event: string;
}

const waiting = async (): Promise<Row[]> =>
  await runInDurableObject(
    await world.stub(),
    (_, state) =>
      state.storage.sql
        .exec('SELECT open, code, answered_at, event FROM audit ORDER BY id')
        .toArray() as unknown as Row[],
  );

/** All that the object has in memory and under way is gone. */
const dies = async (): Promise<void> =>
  await runInDurableObject(await world.stub(), (_, state) => state.abort('it dies')).catch(() => undefined);

/** The alarm comes, to the object as it woke up; it was armed before. */
const rings = async (): Promise<void> =>
  await expect.poll(async () => await runDurableObjectAlarm(await world.stub())).toBe(true);

const creates = (): Promise<Response | null> => world.fetch(PODS, { method: 'POST', body: '{}' }).catch(() => null);

/** Rings as often as anything may come of it. */
async function settled(): Promise<unknown[]> {
  await rings();
  await runDurableObjectAlarm(await world.stub());
  expect(await waiting()).toEqual([]);
  return told(await landed(world.id));
}

const idOf = ({ event }: Row): string => AuditEvent.parse(JSON.parse(event)).auditID;

test('between the event and the dispatch: the call was never sent, and its beginning is in the log, once', async () => {
  agent.hangUp();
  await agent.closed;
  const asked = creates();
  // It waits for a tunnel.
  await vi.waitFor(async () => expect(await waiting()).toHaveLength(1));
  const [row] = await waiting();
  await dies();
  await asked;
  expect(await settled()).toEqual([[idOf(row!), 'RequestReceived', undefined]]);
});

test('between the dispatch and the answer: the beginning is in the log, once, whatever came of it', async () => {
  const asked = creates();
  const stream = await agent.next();
  await dies();
  await asked;
  expect(await settled()).toEqual([[stream.field('audit-id'), 'RequestReceived', undefined]]);
});

/** A call that was answered, and whose event waits. */
async function answered(): Promise<Row> {
  const asked = creates();
  (await agent.next()).respond(201, '{}');
  await (await asked)?.text();
  await vi.waitFor(async () => expect(await waiting()).toMatchObject([{ open: 0, code: 201 }]));
  const [row] = await waiting();
  return row!;
}

test('between the answer and the alarm: its end is in the log, once', async () => {
  const row = await answered();
  await dies();
  expect(await settled()).toEqual([[idOf(row), 'ResponseComplete', 201]]);
});

test('between the database’s insert and the forgetting of the row: it is sent again, and there once', async () => {
  const row = await answered();
  const event = atStage(AuditEvent.parse(JSON.parse(row.event)), 'ResponseComplete', 201, row.answered_at ?? 0);
  await landEvents(env.DB, [event], { now: 0, rows: 1000 });
  await dies();
  expect(await settled()).toEqual([[idOf(row), 'ResponseComplete', 201]]);
  expect(await landed(world.id)).toEqual([event]);
});

test('after its beginning has landed, before its answer: the beginning stays, once', async () => {
  const asked = creates();
  const stream = await agent.next();
  const [row] = await waiting();
  await landEvents(env.DB, [AuditEvent.parse(JSON.parse(row!.event))], { now: 0, rows: 1000 });
  await dies();
  await asked;
  expect(await settled()).toEqual([[stream.field('audit-id'), 'RequestReceived', undefined]]);
});
