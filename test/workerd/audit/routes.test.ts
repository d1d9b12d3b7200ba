import { env } from 'cloudflare:workers';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { isRecorded } from '#workers/audit/plane.ts';
import { ENDPOINTS } from '#workers/http/routes.ts';
import type { AuditEvent } from '#schema/audit/event.ts';
import { World } from '../providers/support/world.ts';
import { landed } from './events.ts';
import { CALLS } from './routes.ts';

// Checked by giving handlers the plane's own database in the place of the one that is witnessed: every change that does not go through `commit` failed.

/** What may change while nobody changes anything: the log itself, counts of attempts, what was delivered to whom, when somebody was last seen. */
const OWN = /^(audit_|sign_in_attempts$|finished_flows$|forgotten_clusters$|d1_|sqlite_|_cf_)/;
const OWN_COLUMNS = new Set(['delivered_version', 'last_used_at', 'last_used_from', 'last_poll_at', 'too_fast']);

/** Everything that the plane keeps, as text. */
async function kept(): Promise<string> {
  const { results } = await env.DB.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all<{
    name: string;
  }>();
  const names = results.map(({ name }) => name).filter((name) => !OWN.test(name));
  const tables = await env.DB.batch<Record<string, unknown>>(
    names.map((name) => env.DB.prepare(`SELECT * FROM ${name} ORDER BY 1, 2`)),
  );
  return JSON.stringify(
    tables.map(({ results: rows }) =>
      rows.map((row) => Object.entries(row).filter(([column]) => !OWN_COLUMNS.has(column))),
    ),
  );
}

let world: World;
beforeEach(async () => {
  world = await World.make();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await env.DB.prepare('DROP TRIGGER IF EXISTS refuses').run();
});

/** The routes that programs call, the forms of pages and the one address of browsers that changes something. */
const changing = ENDPOINTS.filter(isRecorded).map(({ method, path }) => `${method} ${path}`);

/** What is asked of an agent alone, and what changes nothing that another row does not. */
const ELSEWHERE = new Set([
  // An agent is asked, and nothing is kept.
  'POST /v1/clusters/{cluster}/directory/test',
  // As the callback, by a directory: `admit`.
  'POST /v1/auth/providers/{provider}/password',
]);

test('every route that changes something is in the table', () => {
  expect(changing.filter((route) => !ELSEWHERE.has(route)).toSorted()).toEqual(Object.keys(CALLS).toSorted());
});

test.each(Object.entries(CALLS))('%s: no change without its event, and one event for it', async (_route, make) => {
  const call = await make(world);
  const [before, events] = [await kept(), await landed()];
  // Nothing can be written into the log: so nothing may be done.
  await env.DB.prepare(
    `CREATE TRIGGER refuses BEFORE INSERT ON audit_events BEGIN SELECT RAISE(ABORT, 'no room'); END`,
  ).run();
  const refused = await call.ask();
  await env.DB.prepare('DROP TRIGGER refuses').run();
  if (call.idle !== true) {
    expect(refused.status).toBeGreaterThanOrEqual(500);
    expect(await kept()).toBe(before);
  }
  const answer = await call.ask();
  expect(answer.status).toBeLessThan(400);
  expect(await kept()).not.toBe(before);
  const known = new Set(events.map(({ auditID }) => auditID));
  const added = (await landed()).filter(({ auditID }) => !known.has(auditID));
  const expected = [[answer.headers.get('x-request-id'), 'ResponseComplete']];
  expect(added.map(({ auditID, stage }: AuditEvent) => [auditID, stage])).toEqual(
    call.unheard === true ? [] : expected,
  );
});
