import { evictDurableObject } from 'cloudflare:test';
import { test } from 'vitest';
import { CLOSE_CODE_BASE, ProtocolCode } from '#schema/protocol/codec/codes.ts';
import { HELLO_TIMEOUT_MS } from '#schema/protocol/limits.ts';
import { TUNNEL_WAIT_MS } from '#workers/cluster/limits.ts';
import { makeWorld } from '../support/world.ts';

// Real waits, side by side.

test.concurrent('a dial that leaves HELLO unanswered ends after its time', async ({ expect }) => {
  const world = await makeWorld();
  const started = Date.now();
  const agent = await world.connect({ answers: false });
  expect(await agent.closed).toMatchObject({ code: CLOSE_CODE_BASE + ProtocolCode.UNAUTHENTICATED });
  expect(Date.now() - started).toBeGreaterThanOrEqual(HELLO_TIMEOUT_MS - 100);
});

test.concurrent('a deploy: requests wait for an agent that stays away no longer than their time', async ({
  expect,
}) => {
  const world = await makeWorld();
  const agent = await world.agent();
  await evictDurableObject(await world.stub(), { webSockets: 'close' });
  await agent.closed;
  const started = Date.now();
  const response = await world.fetch('/version');
  expect(Date.now() - started).toBeGreaterThanOrEqual(TUNNEL_WAIT_MS - 100);
  expect(Date.now() - started).toBeLessThan(TUNNEL_WAIT_MS + 2_000);
  expect(response.status).toBe(503);
  expect(response.headers.has('retry-after')).toBe(false);
  expect(await response.json()).toMatchObject({ kind: 'Status', reason: 'ServiceUnavailable', code: 503 });
});
