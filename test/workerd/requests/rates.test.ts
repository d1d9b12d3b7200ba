import { env } from 'cloudflare:workers';
import { afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { newTokenId } from '#schema/ids.ts';
import { STRANGER_RATE } from '#workers/cluster/limits.ts';
import { readConfig } from '#workers/env.ts';
import { scrape } from '../support/scrape.ts';
import { makeWorld, type World } from '../support/world.ts';

/** A second with one token, and at once. */
const RATE = { perSecond: 50, burst: 200 };

let world: World;
// Whoever reads the configuration first, reads it for this isolate.
beforeAll(async () => void (await readConfig({ ...env, REQUESTS_PER_TOKEN: String(RATE.perSecond) })));
beforeEach(async () => {
  world = await makeWorld();
  // The plane's clock is this one: what is spent does not come back while a slow machine spends it.
  vi.useFakeTimers({ toFake: ['Date'] });
});
afterEach(async () => {
  vi.useRealTimers();
  await world.quiet();
  await world.end();
});

/** The statuses of so many requests, a hundred at a time, and how often each came. */
async function flood(count: number, ask: () => Promise<Response>): Promise<Record<number, number>> {
  const statuses: Record<number, number> = {};
  for (let left = count; left > 0; left -= 100) {
    const responses = await Promise.all(Array.from({ length: Math.min(100, left) }, ask));
    for (const response of responses) {
      statuses[response.status] = (statuses[response.status] ?? 0) + 1;
      await response.body?.cancel();
    }
  }
  return statuses;
}

// Tried without the count: all of them are sent on.
test('attack: a token that asks without end is told how long to wait, and another is answered', async () => {
  const agent = await world.agent();
  agent.serve((stream) => stream.respond(200, 'ok'));
  const version = async (): Promise<Response> => await world.fetch('/version');
  expect(await flood(RATE.burst + 50, version)).toEqual({ 200: RATE.burst, 429: 50 });
  const refused = await version();
  expect(refused.headers.get('retry-after')).toBe('1');
  expect(await refused.json()).toMatchObject({
    kind: 'Status',
    reason: 'TooManyRequests',
    message: expect.stringContaining('with this token'),
  });
  // An exec is a request like any other.
  expect((await world.upgrade('/api/v1/namespaces/a/pods/b/exec?command=sh')).status).toBe(429);

  const token = await world.tokenFor({ token: newTokenId() });
  expect((await world.fetch('/version', { token })).status).toBe(200);
  expect((await scrape(world)).get('refusals_total{code="overloaded"}')).toBe(52);

  vi.setSystemTime(Date.now() + 1_000);
  expect(await flood(RATE.perSecond + 50, version)).toEqual({ 200: RATE.perSecond, 429: 50 });
});

// Tried with callers who are not counted: all of them are 401.
test('attack: an address that makes up tokens without end is told to wait, and those whose token is known are answered from there too', async () => {
  const agent = await world.agent();
  agent.serve((stream) => stream.respond(200, 'ok'));
  const headers = { 'cf-connecting-ip': '192.0.2.77' };
  const known = async (): Promise<number> => (await world.fetch('/version', { headers })).status;
  const signed = await world.tokenFor({ token: newTokenId() });
  const stranger = async (token: string | null): Promise<Response> => await world.fetch('/version', { headers, token });
  expect(await known()).toBe(200);

  const [, , signature = ''] = signed.split('.');
  const forged = signed.replace(signature, signature.toLowerCase());
  expect(await flood(STRANGER_RATE.burst, async () => await stranger(forged))).toEqual({ 401: STRANGER_RATE.burst });
  for (const token of [forged, null]) {
    const refused = await stranger(token);
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1']);
    expect(await refused.json()).toMatchObject({ kind: 'Status', message: expect.stringContaining('this address') });
  }
  // Its signature is not looked at; that is what a flood of others would cost.
  expect((await stranger(signed)).status).toBe(429);
  expect(await known()).toBe(200);
  expect((await world.fetch('/version', { token: signed })).status).toBe(200);
  expect((await world.fetch('/version', { token: null })).status).toBe(401);

  vi.setSystemTime(Date.now() + 1_000);
  expect(await flood(STRANGER_RATE.perSecond, async () => await stranger(null))).toEqual({
    401: STRANGER_RATE.perSecond,
  });
});
