import { env } from 'cloudflare:workers';
import { applyD1Migrations, reset } from 'cloudflare:test';
import { beforeEach, expect, test } from 'vitest';
import { atStage, type AuditEvent } from '#schema/audit/event.ts';
import { newUserId, randomBase32 } from '#schema/ids.ts';
import { proxiedEvent } from '#workers/audit/events.ts';
import { keepWindow } from '#workers/audit/window.ts';
import { landEvents } from '#workers/store/audit.ts';
import { ask, cluster, nowSeconds, outcome, person, tokenFor } from '../management/client.ts';
import { landed } from './events.ts';

const MINUTE = 60_000;
const DAY = 86_400;

let token: string;
let ada: string;
let here: string;
let now: number;
beforeEach(async () => {
  await reset();
  await applyD1Migrations(env.DB, env.MIGRATIONS);
  token = await tokenFor(await person({ administrator: true }));
  ada = newUserId();
  here = await cluster();
  now = nowSeconds();
});

/** An event of some minutes ago. */
function event(
  minutes: number,
  method: string,
  target: string,
  change: { user?: string; cluster?: string } = {},
): AuditEvent {
  const at = now * 1000 - minutes * MINUTE;
  const identity = { user: change.user ?? ada, username: 'ada', groups: [], token: 't-aaaaaaaaaa' };
  const call = { requestId: randomBase32(16), method, target, cluster: change.cluster ?? here, identity, at };
  return atStage(
    proxiedEvent({ ...call, address: null, userAgent: null, sentAuditId: null }),
    'ResponseComplete',
    200,
    at,
  );
}

const land = async (...events: AuditEvent[]): Promise<void> =>
  void (await landEvents(env.DB, events, { now, rows: 1000 }));
const ids = (events: readonly AuditEvent[]): string[] => events.map(({ auditID }) => auditID);
const query = async (search: string): Promise<{ items: AuditEvent[]; continue: string | null }> => {
  const { status, json } = await ask(`GET /v1/audit${search}`, { token });
  expect(status).toBe(200);
  return json;
};

test('events are found by who, where, what and when, newest first', async () => {
  const bob = newUserId();
  const there = await cluster();
  const created = event(30, 'POST', '/api/v1/namespaces/a/pods');
  const scaled = event(20, 'PATCH', '/apis/apps/v1/namespaces/a/deployments/web/scale', { user: bob });
  const deleted = event(10, 'DELETE', '/api/v1/namespaces/a/pods/web', { cluster: there });
  await land(scaled, created, deleted);
  const moment = (minutes: number): string => encodeURIComponent(new Date(now * 1000 - minutes * MINUTE).toISOString());
  const table: [string, AuditEvent[]][] = [
    ['', [deleted, scaled, created]],
    [`?actor=${ada}`, [deleted, created]],
    [`?actor=${bob}`, [scaled]],
    [`?cluster=${there}`, [deleted]],
    ['?verb=patch', [scaled]],
    ['?resource=pods', [deleted, created]],
    ['?name=web', [deleted, scaled]],
    [`?name=web&resource=pods&cluster=${there}&actor=${ada}`, [deleted]],
    [`?name=web&actor=${ada}&cluster=${here}`, []],
    [`?from=${moment(20)}`, [deleted, scaled]],
    [`?to=${moment(20)}`, [created]],
    [`?from=${moment(30)}&to=${moment(10)}`, [scaled, created]],
  ];
  for (const [search, expected] of table) {
    const { items, continue: next } = await query(search);
    expect([search, ids(items)]).toEqual([search, ids(expected)]);
    expect(next).toBeNull();
  }
  expect((await query('?verb=patch')).items).toEqual([scaled]);
});

test('pages join without a gap and without an event twice, also where newer ones come meanwhile', async () => {
  const events = Array.from({ length: 25 }, (_, i) => event(Math.floor(i / 10), 'POST', '/api/v1/nodes'));
  await land(...events);
  const seen: string[] = [];
  let next: string | null = '';
  for (let pages = 0; next !== null && pages < 10; pages++) {
    const page: { items: AuditEvent[]; continue: string | null } = await query(
      `?limit=7${next === '' ? '' : `&continue=${next}`}`,
    );
    expect(page.items.length).toBeLessThanOrEqual(7);
    seen.push(...ids(page.items));
    next = page.continue;
    await land(event(-1, 'POST', '/api/v1/nodes'));
  }
  expect(seen).toHaveLength(25);
  expect(new Set(seen)).toEqual(new Set(ids(events)));
});

test.each([
  '?limit=0',
  '?limit=501',
  '?limit=-1',
  '?limit=x',
  '?continue=x',
  '?continue=W10',
  '?actor=ada',
  '?cluster=c-1',
  '?from=yesterday',
  '?unknown=1',
  '?verb=',
])('%s is refused', async (search) => {
  expect(outcome(await ask(`GET /v1/audit${search}`, { token }))).toBe('invalid');
});

const at = (text: string): string => encodeURIComponent(text);

// Whatever is asked, nothing but the events that are meant is answered, and nothing fails.
test.each<[what: string, search: string, found: number]>([
  ['a wildcard', '?name=%25', 0],
  ['another', '?verb=cre_te', 0],
  ['a pattern', '?resource=*', 0],
  ['the end of a text', `?name=${at("web' OR '1'='1")}`, 0],
  ['a NUL', '?name=web%00', 0],
  ['half of a character', '?name=%ED%A0%80', 0],
  ['another case', '?verb=CREATE', 0],
  ['all of time', `?from=${at('0001-01-01T00:00:00Z')}&to=${at('9999-12-31T23:59:59.999999999Z')}`, 1],
  ['another zone', `?to=${at('9999-12-31T23:59:59+14:00')}`, 1],
  ['the future', `?from=${at('9999-01-01T00:00:00Z')}`, 0],
  ['no time at all', `?from=${at('2026-01-01T00:00:00Z')}&to=${at('2026-01-01T00:00:00Z')}`, 0],
])('%s is taken as what it says', async (_what, search, found) => {
  await land(event(1, 'POST', '/api/v1/namespaces/a/pods'));
  expect((await query(search)).items).toHaveLength(found);
});

test.each([
  `?from=${at('2026-11-29T00:00:00Z')}&to=${at('2026-11-28T00:00:00Z')}`,
  `?from=${at('2026-02-30T00:00:00Z')}`,
  `?from=${at('2026-11-28T24:00:00Z')}`,
  `?from=${at('2026-11-28T00:00:00')}`,
  `?continue=${btoa('[1,"a"]')}`,
  `?continue=${btoa('[1e400,"a","b"]')}`,
  `?continue=${btoa('[9007199254740993,"a","b"]')}`,
  `?continue=${btoa('["1; DROP TABLE audit_events","a","b"]')}`,
])('%s is refused, too', async (search) => {
  expect(outcome(await ask(`GET /v1/audit${search}`, { token }))).toBe('invalid');
});

test('pages end well when what they were to show has left the window', async () => {
  await land(...Array.from({ length: 30 }, (_, i) => event(30 - i, 'POST', '/api/v1/nodes')));
  const first = await query('?limit=10');
  await keepWindow(env.DB, { archive: null, window: { days: 7, rows: 15 }, now });
  const second = await query(`?limit=10&continue=${first.continue}`);
  expect([second.items.length, second.continue]).toEqual([5, null]);
  await keepWindow(env.DB, { archive: null, window: { days: 7, rows: 10 }, now });
  expect(await query(`?limit=10&continue=${first.continue}`)).toEqual({ items: [], continue: null });
});

test('an event that lands late stands where it belongs, also between two pages', async () => {
  await land(...[50, 40, 20, 10].map((minutes) => event(minutes, 'POST', '/api/v1/nodes')));
  const first = await query('?limit=2');
  const late = event(30, 'DELETE', '/api/v1/nodes/late');
  await land(late);
  expect(ids((await query(`?limit=2&continue=${first.continue}`)).items)[0]).toBe(late.auditID);
});

test('an event of another deploy, which this one cannot read, hides no other and leaves with them', async () => {
  const old = event((9 * DAY) / 60, 'POST', '/api/v1/nodes');
  await land(old, event(1, 'POST', '/api/v1/nodes'));
  await env.DB.prepare('UPDATE audit_events SET event = ?1 WHERE audit_id = ?2')
    .bind('{"kind":\n"New"}', old.auditID)
    .run();
  const pages = [await query('?limit=1'), await query('')];
  expect(pages.map(({ items }) => items.length)).toEqual([1, 1]);
  expect((await query(`?limit=1&continue=${pages[0]!.continue}`)).items).toEqual([]);
  const put: string[] = [];
  const archive = {
    put: async (_key: string, content: ArrayBuffer) => {
      const unpacked = new Response(content).body!.pipeThrough(new DecompressionStream('gzip'));
      put.push(await new Response(unpacked).text());
    },
  };
  await keepWindow(env.DB, { archive, window: { days: 7, rows: 1000 }, now });
  expect(put).toEqual(['{"kind": "New"}\n']);
  expect(await count()).toBe(1);
});

test('no question walks through the whole log', async () => {
  const asked = ['actor', 'cluster_id', 'resource', 'name'].map((column) => `WHERE ${column} = 'x'`);
  for (const where of ['', 'WHERE received_ms >= 1', ...asked]) {
    const { results } = await env.DB.prepare(
      `EXPLAIN QUERY PLAN SELECT event FROM audit_events ${where} ORDER BY received_ms DESC, audit_id DESC, stage DESC LIMIT 1`,
    ).all<{ detail: string }>();
    const plan = results.map(({ detail }) => detail).join('; ');
    expect([where, plan]).toEqual([
      where,
      expect.stringMatching(/^(SEARCH|SCAN) audit_events USING INDEX \w+( \(.*\))?$/),
    ]);
  }
});

test('only administrators read it', async () => {
  expect(outcome(await ask('GET /v1/audit', { token: await tokenFor(await person()) }))).toBe('forbidden');
  expect(outcome(await ask('GET /v1/audit'))).toBe('unauthenticated');
});

test('an event that is sent twice is kept once, and as it came first', async () => {
  const one = event(1, 'POST', '/api/v1/nodes');
  await land(one, one);
  await land({ ...one, verb: 'get' });
  expect(await landed()).toEqual([one]);
});

test('one of those who land events has the window looked after, every ten minutes', async () => {
  const mine = async (at: number): Promise<boolean> =>
    await landEvents(env.DB, [event(0, 'POST', '/api/v1/nodes')], { now: at, rows: 1000 });
  const looks = await Promise.all([mine(now), mine(now), mine(now)]);
  expect(looks.filter(Boolean)).toHaveLength(1);
  expect(await mine(now + 599)).toBe(false);
  expect(await mine(now + 600)).toBe(true);
});

test('what is too old leaves, and the rest stays', async () => {
  const old = event((8 * DAY) / 60, 'POST', '/api/v1/nodes');
  const young = event((6 * DAY) / 60, 'POST', '/api/v1/nodes');
  await land(old, young);
  await keepWindow(env.DB, { archive: null, window: { days: 7, rows: 1000 }, now });
  expect(ids(await landed())).toEqual(ids([young]));
});

test('what is too much leaves, the oldest first', async () => {
  const events = Array.from({ length: 20 }, (_, i) => event(20 - i, 'POST', '/api/v1/nodes'));
  await land(...events);
  await keepWindow(env.DB, { archive: null, window: { days: 7, rows: 12 }, now });
  expect(ids(await landed())).toEqual(ids(events.slice(8)));
});

test('a window that is far exceeded is brought down in turns', async () => {
  for (let i = 0; i < 11; i++) {
    await land(...Array.from({ length: 1000 }, () => event((8 * DAY) / 60, 'POST', '/api/v1/nodes')));
  }
  const deps = { archive: null, window: { days: 7, rows: 1000 }, now };
  expect(await keepWindow(env.DB, deps)).toBe(true);
  expect(await count()).toBe(1000);
  expect(await keepWindow(env.DB, deps)).toBe(false);
  expect(await count()).toBe(0);
});

const count = async (): Promise<unknown> => await env.DB.prepare('SELECT count(*) AS n FROM audit_events').first('n');

/** All events in the bucket, `day id`, by the day of their key. */
async function archived(): Promise<string[]> {
  const found: string[] = [];
  for (const { key } of (await env.AUDIT_BUCKET.list()).objects) {
    const [, day] = /^audit\/(\d{4}-\d\d-\d\d)\/[a-z2-7]{32}\.ndjson\.gz$/.exec(key) ?? [];
    const object = await env.AUDIT_BUCKET.get(key);
    const text = await new Response(object!.body.pipeThrough(new DecompressionStream('gzip'))).text();
    for (const line of text.trimEnd().split('\n')) found.push(`${day ?? key} ${JSON.parse(line).auditID}`);
  }
  return found;
}

test('with a bucket what leaves is kept there by day, as gzipped lines', async () => {
  const events = [9, 9, 10].map((days) => event((days * DAY) / 60, 'POST', '/api/v1/nodes'));
  await land(...events, event(0, 'POST', '/api/v1/nodes'));
  await keepWindow(env.DB, { archive: env.AUDIT_BUCKET, window: { days: 7, rows: 1000 }, now });
  expect(await landed()).toHaveLength(1);
  const expected = events.map((one) => `${one.requestReceivedTimestamp.slice(0, 10)} ${one.auditID}`);
  expect(new Set(await archived())).toEqual(new Set(expected));
  expect(await archived()).toHaveLength(3);
});

test('a bucket that fails keeps the events in the database; a run that dies between the two stores nothing twice', async () => {
  const old = event((9 * DAY) / 60, 'POST', '/api/v1/nodes');
  await land(old);
  const window = { days: 7, rows: 1000 };
  const away = { put: () => Promise.reject(new Error('R2 is away')) };
  await expect(keepWindow(env.DB, { archive: away, window, now })).rejects.toThrow('R2 is away');
  expect(ids(await landed())).toEqual([old.auditID]);
  await keepWindow(env.DB, { archive: env.AUDIT_BUCKET, window, now });
  // The rows are there again: as if they had not been removed.
  await land(old);
  await keepWindow(env.DB, { archive: env.AUDIT_BUCKET, window, now });
  expect((await archived()).filter((line) => line.includes(old.auditID))).toHaveLength(1);
});
