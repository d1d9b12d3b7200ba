import { env } from 'cloudflare:workers';
import { applyD1Migrations, reset } from 'cloudflare:test';
import { beforeEach, expect, test } from 'vitest';
import { signIn } from '#schema/api/account/auth.ts';
import type { AuditEvent } from '#schema/audit/event.ts';
import { OutriderError, type ErrorCode } from '#schema/errors.ts';
import { randomBase32 } from '#schema/ids.ts';
import { recorded } from '#workers/audit/record.ts';
import { keepWindow } from '#workers/audit/window.ts';
import { Refusals } from '#workers/http/refusals.ts';
import { landEvents } from '#workers/store/audit.ts';
import { AgentKey } from '../support/agent.ts';
import { ask, cluster, nowSeconds, outcome, person, tokenFor } from '../management/client.ts';
import { landed, withoutAuditLog } from './events.ts';

// Checked by taking out, one at a time: the share of refusals in `eventsPastWindow`, the budget of a source, the budget of all, and `named` in `admit`. Each time the test that names it failed.

let admin: string;
let token: string;
beforeEach(async () => {
  await reset();
  await applyD1Migrations(env.DB, env.MIGRATIONS);
  admin = await person({ administrator: true });
  token = await tokenFor(admin);
});

/** The refusals that are there once there are so many: they are written after their answers. */
async function refusals(count: number): Promise<AuditEvent[]> {
  await expect.poll(async () => (await landed()).length).toBeGreaterThanOrEqual(count);
  return await landed();
}

const body = { metadata: { name: 'bob' }, spec: { password: 'hunter2 and her wandering otters' } };

test('who may not change something is an event, with who it was, what they wanted and why not', async () => {
  const bob = await person();
  const bobs = await tokenFor(bob);
  const answer = await ask(`DELETE /v1/users/${admin}`, { token: bobs, headers: { 'cf-connecting-ip': '192.0.2.7' } });
  expect(outcome(answer)).toBe('forbidden');
  expect(await refusals(1)).toEqual([
    expect.objectContaining({
      auditID: answer.headers.get('x-request-id'),
      stage: 'ResponseComplete',
      level: 'Metadata',
      verb: 'delete',
      requestURI: `/v1/users/${admin}`,
      user: expect.objectContaining({ uid: bob, username: bob }),
      objectRef: { apiGroup: 'outrider.dev', apiVersion: 'v1', resource: 'users', name: admin },
      sourceIPs: ['192.0.2.7'],
      responseStatus: { metadata: {}, code: 403 },
      annotations: { 'outrider.dev/refused': 'forbidden' },
    }),
  ]);
});

test.each<[string, () => Promise<Parameters<typeof ask>[1]>, ErrorCode]>([
  ['without a token', async () => ({ body }), 'unauthenticated'],
  ['with a token of nobody’s', async () => ({ body, token: 'hunter2' }), 'unauthenticated'],
  ['with a read-only token', async () => ({ body, token: await tokenFor(admin, { readOnly: true }) }), 'read_only'],
  [
    'for one cluster',
    async () => ({ body, token: await tokenFor(admin, { cluster: await cluster() }) }),
    'wrong_scope',
  ],
  ['as somebody else', async () => ({ body, token, headers: { 'impersonate-user': 'eve' } }), 'impersonation_refused'],
])('a change %s is refused, and an event that holds nothing of what was sent', async (_what, asked, code) => {
  expect(outcome(await ask('POST /v1/users', await asked()))).toBe(code);
  const events = await refusals(1);
  expect(events.map(({ annotations, verb }) => [annotations['outrider.dev/refused'], verb])).toEqual([
    [code, 'create'],
  ]);
  expect(JSON.stringify(events)).not.toContain('hunter2');
});

// Taken out: the parsing of the path before `audited`. It failed.
test('attack: a stranger has no row written of an address that can name no provider', async () => {
  const provider = 'x'.repeat(16_384);
  for (const end of ['start', 'callback']) {
    expect(outcome(await ask(`GET /v1/auth/providers/${provider}/${end}`))).toBe('not_found');
  }
  expect(outcome(await ask('GET /v1/auth/providers/oidc/callback'))).toBe('sign_in_failed');
  const events = await refusals(1);
  expect(events.map(({ requestURI }) => requestURI)).toEqual(['/v1/auth/providers/oidc/callback']);
});

test('reads that are refused are no events', async () => {
  for (const path of ['/v1/users', '/v1/audit']) expect(outcome(await ask(`GET ${path}`))).toBe('unauthenticated');
  await ask('POST /v1/users', { body });
  expect((await refusals(1)).map(({ verb }) => verb)).toEqual(['create']);
});

test('every failed sign-in is an event until the throttle, and then the throttle is', async () => {
  const from = { 'cf-connecting-ip': '192.0.2.9' };
  for (let i = 0; i < 12; i++) {
    await ask('POST /v1/auth/local', { body: { username: 'nobody', password: 'x' }, headers: from });
  }
  const codes = (await refusals(12)).map(({ annotations }) => annotations['outrider.dev/refused']);
  expect(codes.slice(0, 10)).toEqual(Array(10).fill('invalid_credentials'));
  expect(codes.slice(10)).toEqual(['throttled', 'throttled']);
});

test('a stranger’s registration changes nothing, and is an event only where it was refused for who asks', async () => {
  const stranger = {
    token: 'a'.repeat(32),
    publicKey: (await AgentKey.make()).publicKey,
    kubeSystemUid: crypto.randomUUID(),
    kubernetesVersion: 'v1.34.0',
  };
  const answer = await ask('POST /connect/register', { body: stranger });
  await expect
    .poll(async () => (await landed()).map(({ responseStatus }) => responseStatus?.code))
    .toEqual(answer.status === 401 ? [401] : []);
});

const window = { days: 90, rows: 200 };
const landing = { now: nowSeconds(), rows: window.rows };
const call = (address: string) => ({
  endpoint: signIn,
  level: 'Metadata' as const,
  requestId: randomBase32(16),
  user: { username: 'system:anonymous' },
  address,
  userAgent: null,
  at: Date.now(),
  input: { params: {}, query: {}, body: {} },
});

/** A sign-in that fails, as the plane has it after its throttle, which a thousand addresses get past. */
async function fails(
  address: string,
  upkeep: () => void,
  { code = 'invalid_credentials', note }: { code?: ErrorCode; note?: (refusal: AuditEvent) => void } = {},
): Promise<void> {
  const deps = {
    ...{ db: env.DB, rows: window.rows, now: Date.now, upkeep },
    commit: async (statements: D1PreparedStatement[]) => await env.DB.batch(statements),
    refused: (event: AuditEvent) => note?.(event),
  };
  const failing = recorded(call(address), deps, () => Promise.reject(new OutriderError(code, 'no')));
  await expect(failing).rejects.toThrow('no');
}

// With the code written at once, as `invalid_credentials` is: it failed.
test('attack: who knows a password that must be changed first has no row written for each time they send it', async () => {
  const limited: AuditEvent[] = [];
  const note = (refusal: AuditEvent): void => void limited.push(refusal);
  await fails('192.0.2.11', () => undefined, { code: 'password_change_required', note });
  expect([await landed(), limited]).toMatchObject([[], [{ responseStatus: { code: 403 } }]]);
  await fails('192.0.2.11', () => undefined, { note });
  expect([(await landed()).length, limited.length]).toEqual([1, 1]);
});

// Taken out, one at a time: the condition of the event in a commit, and that of `changed`. Each time it failed.
test('attack: a stranger’s call whose commit changes no row leaves none', async () => {
  const deps = {
    ...{ db: env.DB, rows: window.rows, now: Date.now, upkeep: () => undefined },
    commit: async (statements: D1PreparedStatement[]) => await env.DB.batch(statements),
    refused: () => undefined,
  };
  const renames = async (id: string): Promise<void> =>
    await recorded(call('192.0.2.12'), deps, async ({ db, commit }) => {
      const none = db.prepare("UPDATE users SET username = 'mallory' WHERE id = ''");
      const results = await commit([
        none,
        db.prepare('UPDATE users SET username = ?1 WHERE id = ?2').bind('eve', id),
        none,
      ]);
      expect(results.map(({ meta }) => meta.changes)).toEqual([0, id === admin ? 1 : 0, 0]);
    });
  await renames('u-aaaaaaaaaa');
  expect(await landed()).toEqual([]);
  await renames(admin);
  expect((await landed()).map(({ stage }) => stage)).toEqual(['ResponseComplete']);
});

test('attack: ten thousand failed sign-ins do not push out what was done', async () => {
  for (let i = 0; i < 100; i++) {
    await ask('POST /v1/groups', { token, body: { metadata: { name: `g${i}` }, spec: {} } });
  }
  const done = (await landed()).map(({ auditID }) => auditID);
  expect(done).toHaveLength(100);
  const looked: number[] = [];
  for (let i = 0; i < 200; i++) await fails(`2001:db8:${i.toString(16)}::1`, () => void looked.push(i));
  expect(looked.length).toBeGreaterThan(0);
  // The others as these are: one by one they take a minute.
  const failed = (await landed()).at(-1)!;
  for (let i = 0; i < 9_800; i += 200) {
    const others = Array.from({ length: 200 }, () => ({ ...failed, auditID: randomBase32(16) }));
    expect(await landEvents(env.DB, others, landing)).toBe(true);
    await keepWindow(env.DB, { archive: null, window, now: landing.now });
  }
  const left = await landed();
  expect(left).toHaveLength(window.rows);
  expect(left.filter(({ annotations }) => annotations['outrider.dev/refused'] === undefined)).toHaveLength(100);
  expect(new Set(left.map(({ auditID }) => auditID))).toEqual(
    new Set([...done, ...left.slice(100).map(({ auditID }) => auditID)]),
  );
});

/** Refusals that are noted, and what is written of them. */
function noted() {
  const limited = new Refusals(0);
  const works: Promise<unknown>[] = [];
  const deps = {
    db: env.DB,
    rows: 1000,
    waitUntil: (work: Promise<unknown>) => void works.push(work),
    upkeep: () => undefined,
  };
  return {
    note: (event: AuditEvent, now: number) => limited.note(deps, event, now),
    settled: async () => await Promise.all(works.splice(0)),
  };
}

const refusal = (from: string): AuditEvent => ({
  kind: 'Event',
  apiVersion: 'audit.k8s.io/v1',
  level: 'Metadata',
  auditID: randomBase32(16),
  stage: 'ResponseComplete',
  requestURI: '/v1/users',
  verb: 'create',
  user: { username: 'system:anonymous' },
  sourceIPs: [from],
  responseStatus: { metadata: {}, code: 401 },
  requestReceivedTimestamp: '2026-11-28T00:00:00.000000Z',
  stageTimestamp: '2026-11-28T00:00:00.000000Z',
  annotations: { 'outrider.dev/refused': 'unauthenticated' },
});
const unwritten = ({ annotations }: AuditEvent): string | undefined => annotations['outrider.dev/unwritten-refusals'];

test('attack: a flood from one network is some events and a count, and hides nobody else’s', async () => {
  const { note, settled } = noted();
  for (let i = 0; i < 5_000; i++) note(refusal(`2001:db8::${(i % 65_536).toString(16)}`), 0);
  note(refusal('192.0.2.1'), 0);
  await settled();
  const events = await landed();
  expect(events).toHaveLength(61);
  expect(events.at(-1)?.sourceIPs).toEqual(['192.0.2.1']);
  expect(unwritten(events.at(-1)!)).toBe(String(5_000 - 60));
});

test('attack: a flood from everywhere is bounded too', async () => {
  const { note, settled } = noted();
  for (let i = 0; i < 5_000; i++) note(refusal(`192.0.${i >> 8}.${i & 255}`), 0);
  await settled();
  expect(await landed()).toHaveLength(600);
  note(refusal('198.51.100.1'), 1000);
  await settled();
  expect(unwritten((await landed()).at(-1)!)).toBe('4400');
});

test('a refusal that the database does not take is counted with the next', async () => {
  const { note, settled } = noted();
  await withoutAuditLog(async () => {
    note(refusal('192.0.2.1'), 0);
    await settled();
  });
  note(refusal('192.0.2.1'), 0);
  await settled();
  expect((await landed()).map(unwritten)).toEqual(['1']);
});

test('where there is room refusals may take more than their share, and give it back', async () => {
  const events = Array.from({ length: 150 }, () => refusal('192.0.2.1'));
  await landEvents(env.DB, events, landing);
  await keepWindow(env.DB, { archive: null, window, now: landing.now });
  expect(await landed()).toHaveLength(150);
  const done = events.slice(0, 100).map((event) => ({ ...event, auditID: randomBase32(16), annotations: {} }));
  await landEvents(env.DB, done, landing);
  await keepWindow(env.DB, { archive: null, window, now: landing.now });
  const left = await landed();
  expect(left).toHaveLength(200);
  expect(left.filter(({ annotations }) => annotations['outrider.dev/refused'] === undefined)).toHaveLength(100);
});
