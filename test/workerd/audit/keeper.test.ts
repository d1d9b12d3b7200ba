import { applyD1Migrations, reset, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { microMoment, type AuditEvent } from '#schema/audit/event.ts';
import { randomBase32 } from '#schema/ids.ts';
import { keepWindow } from '#workers/audit/window.ts';
import { eventsPastWindow, landEvents } from '#workers/store/audit.ts';
import { administrator, ask, config, nowSeconds } from '../management/client.ts';
import { landed, withoutAuditLog } from './events.ts';

// Checked by taking out, one at a time: the alarm at the oldest event's end, and the look for too many rows in `landEvents`. Each time the test that names it failed.

const DAY = 86_400_000;
const DAYS = 7;
const ROWS = 100;

beforeEach(async () => {
  await reset();
  await applyD1Migrations(env.DB, env.MIGRATIONS);
  Object.assign((await config()).audit, { window: { days: DAYS, rows: ROWS } });
});
afterEach(async () => {
  Object.assign((await config()).audit, { window: { days: 90, rows: 100_000 } });
});

const keeper = () => env.AUDIT_KEEPER.get(env.AUDIT_KEEPER.idFromName('main'));
const alarmOf = async (): Promise<number | null> =>
  await runInDurableObject(keeper(), async (_, state) => await state.storage.getAlarm());
const rings = async (): Promise<boolean> => await runDurableObjectAlarm(keeper());
/** It is asked to look, and its alarm comes. */
async function looks(): Promise<void> {
  await keeper().look();
  expect(await rings()).toBe(true);
}

const event = (at: number): AuditEvent => ({
  kind: 'Event',
  apiVersion: 'audit.k8s.io/v1',
  level: 'Metadata',
  auditID: randomBase32(16),
  stage: 'ResponseComplete',
  requestURI: '/v1/users',
  verb: 'create',
  user: { username: 'ada', uid: 'u-aaaaaaaaaa' },
  requestReceivedTimestamp: microMoment(at),
  stageTimestamp: microMoment(at),
  annotations: {},
});
const land = async (...events: AuditEvent[]): Promise<boolean> =>
  await landEvents(env.DB, events, { now: nowSeconds(), rows: ROWS });
const many = (count: number, at = Date.now()): AuditEvent[] => Array.from({ length: count }, (_, i) => event(at + i));

test('a plane without events has no alarm', async () => {
  await looks();
  expect(await alarmOf()).toBeNull();
});

test('what lands past the window calls the keeper, and it brings the window down to its bound', async () => {
  const token = await administrator();
  await land(...many(ROWS + 2, Date.now() - 60_000));
  const made = await ask('POST /v1/groups', { token, body: { metadata: { name: 'ops' }, spec: {} } });
  expect(made.status).toBe(201);
  // After its answer.
  await expect.poll(alarmOf, { timeout: 10_000 }).not.toBeNull();
  await rings();
  expect(await landed()).toHaveLength(ROWS);
  expect((await landed()).at(-1)?.auditID).toBe(made.headers.get('x-request-id'));
});

test('whoever lands is told as long as there are too many, and not for each event of a full window', async () => {
  await land(...many(ROWS));
  expect(await land(event(Date.now()))).toBe(false);
  for (let i = 0; i < 3; i++) expect(await land(event(Date.now()))).toBe(true);
});

test('in a plane where nothing happens any more events leave when they are too old, and then it sleeps', async () => {
  const now = Date.now();
  const [old, young] = [event(now - (DAYS - 1) * DAY), event(now)];
  await land(old, young);
  await looks();
  // Woken for the oldest one, and not before.
  expect(await alarmOf()).toBe(Date.parse(old.requestReceivedTimestamp) + DAYS * DAY);
  Object.assign((await config()).audit, { window: { days: DAYS - 2, rows: ROWS } });
  await rings();
  expect(await landed()).toEqual([young]);
  expect(await alarmOf()).toBe(Date.parse(young.requestReceivedTimestamp) + (DAYS - 2) * DAY);
  await env.DB.prepare('DELETE FROM audit_events').run();
  await rings();
  expect(await alarmOf()).toBeNull();
});

test('events that grow old one after the other leave together, within the hour', async () => {
  await land(event(Date.now() - DAYS * DAY + 1000));
  await looks();
  const alarm = (await alarmOf()) ?? 0;
  expect(alarm - Date.now()).toBeGreaterThan(59 * 60_000);
  expect(alarm - Date.now()).toBeLessThanOrEqual(60 * 60_000);
});

test('while the database is away it tries again every minute', async () => {
  await land(...many(ROWS + 5));
  await withoutAuditLog(async () => {
    await looks();
    expect(((await alarmOf()) ?? 0) - Date.now()).toBeLessThanOrEqual(60_000);
  });
  await rings();
  expect(await landed()).toHaveLength(ROWS);
});

// Taken out, one at a time: the moment in `look`, and the end of `alarm` after a failure, so that who has asked meanwhile has it tried at once. Each time it failed.
test('who has events landed while the database is away does not have it tried sooner', async () => {
  await land(...many(ROWS + 5));
  await withoutAuditLog(async () => {
    await looks();
    const armed = (await alarmOf()) ?? 0;
    for (let i = 0; i < 3; i++) await keeper().look();
    expect(await alarmOf()).toBe(armed);
    expect(armed - Date.now()).toBeGreaterThan(50_000);
    // Also one that is asked again while it fails.
    await Promise.all([rings(), keeper().look()]);
    expect(((await alarmOf()) ?? 0) - Date.now()).toBeGreaterThan(50_000);
  });
  await rings();
  expect(await landed()).toHaveLength(ROWS);
  await keeper().look();
  expect(((await alarmOf()) ?? 0) - Date.now()).toBeLessThanOrEqual(1_000);
});

// Taken out: the bound of characters. It failed.
test('events that are large are moved a few at a time, and all of them are', async () => {
  const large = (): AuditEvent[] => many(10).map((each) => ({ ...each, userAgent: 'x'.repeat(100_000) }));
  for (let i = 0; i < 4; i++) await land(...large());
  const window = { days: DAYS, rows: 0 };
  const first = await eventsPastWindow(env.DB, window, nowSeconds());
  expect(first.map(({ text }) => text.length).reduce((sum, each) => sum + each)).toBeLessThan(2_200_000);
  expect(await keepWindow(env.DB, { archive: null, window, now: nowSeconds() })).toBe(false);
  expect(await env.DB.prepare('SELECT count(*) AS n FROM audit_events').first('n')).toBe(0);
});

test('a window that is far exceeded is brought down by one alarm after the other', async () => {
  for (let i = 0; i < 12; i++) await land(...many(1000));
  await looks();
  for (let i = 0; (await alarmOf()) !== null && (await landed()).length > ROWS && i < 5; i++) await rings();
  expect(await landed()).toHaveLength(ROWS);
});

test('the counts are those of the rows, whatever is added, kept once or removed', async () => {
  const one = event(Date.now());
  await land(one, one, ...many(10));
  await land(one);
  await env.DB.prepare('DELETE FROM audit_events WHERE rowid % 2 = 0').run();
  const counted = await env.DB.prepare('SELECT events, refusals FROM audit_upkeep').first();
  expect(counted).toEqual({ events: (await landed()).length, refusals: 0 });
});
