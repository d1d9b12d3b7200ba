import { beforeEach, expect, test } from 'vitest';
import type { AuditEvent } from '#schema/audit/event.ts';
import { droppedEvent, proxiedEvent } from '../audit/events.ts';
import {
  AUDIT_AT_ONCE,
  AUDIT_DROP,
  AUDIT_FLUSH_MS,
  AUDIT_OPEN_MS,
  AUDIT_RETRY_MS,
  MAX_AUDIT_ROWS,
} from '../audit/limits.ts';
import { AuditBuffer } from './audit.ts';
import type { AuditRow } from './storage.ts';

const CLUSTER = 'c-gaaaaaaaaaabbbbbbbb';

interface Stored extends AuditRow {
  receivedAt: number;
}

/** In the place of the object's SQLite, whose own test is in workerd. */
class Kept {
  exists = true;
  rows: Stored[] = [];
  dropped = 0;
  #id = 0;
  addAudit(event: AuditEvent, receivedAt: number, open = true): number {
    this.rows.push({ id: ++this.#id, event, receivedAt, open, landed: false, answer: null });
    return this.#id;
  }
  answerAudit(id: number, code: number, at: number): void {
    const row = this.rows.find((one) => one.id === id);
    if (row !== undefined) Object.assign(row, { open: false, answer: { code, at } });
  }
  auditToLand(limit: number, openBefore: number): AuditRow[] {
    const due = this.rows.filter((row) => !row.open || (!row.landed && row.receivedAt < openBefore));
    return due.slice(0, limit).map((row) => ({ ...row }));
  }
  auditLanded(landed: readonly AuditRow[]): void {
    const begun = new Set(landed.filter(({ open }) => open).map(({ id }) => id));
    const over = new Set(landed.filter(({ open }) => !open).map(({ id }) => id));
    this.rows = this.rows.filter(({ id }) => !over.has(id));
    for (const row of this.rows) if (begun.has(row.id)) row.landed = true;
  }
  auditWaiting(): { rows: number; toLand: boolean } {
    return { rows: this.rows.length, toLand: this.rows.some((row) => !row.open || !row.landed) };
  }
  dropAudit(count: number): void {
    this.rows.splice(0, count);
    this.dropped += count;
  }
  takeDropped(eventOf: (dropped: number) => AuditEvent, at: number): void {
    if (this.dropped > 0) this.addAudit(eventOf(this.dropped), at, false);
    this.dropped = 0;
  }
}

let kept: Kept;
let now: number;
let alarm: number | null;
let late: (() => void)[];
let landed: AuditEvent[];
let database: 'up' | 'down';
let buffer: AuditBuffer;
beforeEach(() => {
  kept = new Kept();
  now = 1_000_000;
  alarm = null;
  late = [];
  landed = [];
  database = 'up';
  buffer = new AuditBuffer(kept, {
    now: () => now,
    setAlarm: (at) => (alarm = at),
    later: (work) => late.push(work),
    land: async (events) => {
      if (database === 'down') throw new Error('D1_ERROR');
      landed.push(...events);
    },
  });
});

const event = (requestId: string): AuditEvent =>
  proxiedEvent({
    requestId,
    method: 'POST',
    target: '/api/v1/nodes',
    cluster: CLUSTER,
    identity: { user: 'u-aaaaaaaaaa', username: 'ada', groups: [], token: 't-aaaaaaaaaa' },
    address: null,
    userAgent: null,
    sentAuditId: null,
    at: now,
  });

const call = async (id: string, status = 201): Promise<Response> =>
  await buffer.around(
    event(id),
    async () => new Response(null, { status }),
    () => 500,
  );

const settle = (): void => {
  for (const work of late.splice(0)) work();
};

async function rings(): Promise<void> {
  expect(alarm).not.toBeNull();
  now = Math.max(now, alarm ?? 0);
  alarm = null;
  await buffer.alarm();
}

const told = (): unknown[] =>
  landed.map(({ auditID, stage, responseStatus }) => [auditID, stage, responseStatus?.code]);

test('an event is stored before its call is sent, and its answer only once that is on its way', async () => {
  await buffer.around(
    event('a'),
    async () => {
      expect(kept.rows).toMatchObject([{ event: { auditID: 'a', stage: 'RequestReceived' } }]);
      expect(alarm).toBe(now + AUDIT_FLUSH_MS);
      return new Response(null, { status: 201 });
    },
    () => 500,
  );
  expect(kept.rows).toMatchObject([{ answer: null }]);
  settle();
  expect(kept.rows).toMatchObject([{ answer: { code: 201, at: now } }]);
});

test('one alarm carries what has gathered, one event for each call, and is not armed again', async () => {
  await call('a');
  now += 1;
  await call('b', 409);
  settle();
  await rings();
  expect(told()).toEqual([
    ['a', 'ResponseComplete', 201],
    ['b', 'ResponseComplete', 409],
  ]);
  expect([kept.rows, alarm]).toEqual([[], null]);
  await call('c');
  expect(alarm).toBe(now + AUDIT_FLUSH_MS);
});

test('a call that fails is completed by the refusal', async () => {
  await expect(
    buffer.around(
      event('a'),
      () => Promise.reject(new Error('x')),
      () => 503,
    ),
  ).rejects.toThrow('x');
  settle();
  await rings();
  expect(told()).toEqual([['a', 'ResponseComplete', 503]]);
});

test('a call that takes long lands as begun, once, and again when it is over', async () => {
  const { promise, resolve } = Promise.withResolvers<Response>();
  const under = buffer.around(
    event('a'),
    () => promise,
    () => 500,
  );
  await rings();
  expect(told()).toEqual([]);
  now += AUDIT_OPEN_MS;
  await rings();
  expect(told()).toEqual([['a', 'RequestReceived', undefined]]);
  expect(alarm).toBeNull();
  resolve(new Response(null, { status: 200 }));
  await under;
  settle();
  await rings();
  expect(told().slice(1)).toEqual([['a', 'ResponseComplete', 200]]);
  expect(kept.rows).toEqual([]);
});

test('an upgrade has begun and is not over', async () => {
  await buffer.around(
    event('a'),
    async () => ({ status: 101 }) as Response,
    () => 500,
  );
  settle();
  await rings();
  expect(told()).toEqual([['a', 'ResponseStarted', 101]]);
});

test('while the database is away events wait, tries slow down, and the object sleeps between them', async () => {
  database = 'down';
  await call('a');
  settle();
  const waits: number[] = [];
  for (let i = 0; i < 7; i++) {
    await rings();
    waits.push((alarm ?? 0) - now);
  }
  expect(waits).toEqual([5_000, 10_000, 20_000, 40_000, 60_000, 60_000, 60_000]);
  database = 'up';
  await rings();
  expect(told()).toEqual([['a', 'ResponseComplete', 201]]);
  await call('b');
  expect((alarm ?? 0) - now).toBe(AUDIT_RETRY_MS.first);
});

test('many land in batches, each in an alarm of its own', async () => {
  for (let i = 0; i < 2 * AUDIT_AT_ONCE; i++) await call(String(i));
  settle();
  await rings();
  expect([landed.length, alarm]).toEqual([AUDIT_AT_ONCE, now]);
  await rings();
  await rings();
  expect([landed.length, new Set(landed.map(({ auditID }) => auditID)).size, alarm]).toEqual([1000, 1000, null]);
});

test('past the cap the oldest are dropped, and an event says how many', async () => {
  database = 'down';
  kept.rows = Array.from({ length: MAX_AUDIT_ROWS }, (_, i) => ({
    ...{ id: -MAX_AUDIT_ROWS + i, event: event(String(i)), open: false, landed: false },
    ...{ answer: { code: 200, at: 0 }, receivedAt: 0 },
  }));
  await call('last');
  settle();
  expect(kept.rows).toHaveLength(MAX_AUDIT_ROWS - AUDIT_DROP + 1);
  expect(kept.rows[0]?.event?.auditID).toBe(String(AUDIT_DROP));
  database = 'up';
  await rings();
  while (alarm !== null) await rings();
  expect(landed).toHaveLength(MAX_AUDIT_ROWS - AUDIT_DROP + 2);
  const { annotations } = droppedEvent(CLUSTER, AUDIT_DROP, now);
  expect(landed.at(-1)).toMatchObject({ verb: 'drop', annotations });
});

test('draining lands all there is, and rejects where it cannot', async () => {
  const { promise, resolve } = Promise.withResolvers<Response>();
  const open = buffer.around(
    event('a'),
    () => promise,
    () => 500,
  );
  await call('b');
  settle();
  database = 'down';
  await expect(buffer.drain()).rejects.toThrow('D1_ERROR');
  database = 'up';
  await buffer.drain();
  expect(told()).toEqual([
    ['a', 'RequestReceived', undefined],
    ['b', 'ResponseComplete', 201],
  ]);
  kept.exists = false;
  resolve(new Response());
  await open;
  settle();
  await buffer.alarm();
  expect(landed).toHaveLength(2);
});

test('where no agent has ever been nothing is stored: the object does not exist', async () => {
  kept.exists = false;
  await call('a', 503);
  settle();
  expect([kept.rows, alarm]).toEqual([[], null]);
});
