import { afterEach, expect, test } from 'vitest';
import { makeWorld, type World } from '../support/world.ts';

let world: World;
afterEach(async () => await world.end());

test('an agent that proves itself serves, and a request goes through', async () => {
  world = await makeWorld();
  const agent = await world.agent();
  expect(await agent.settled).toMatchObject({ step: 'settled', version: 1, standby: false });
  const asked = world.fetch('/api/v1/pods?limit=1');
  const stream = await agent.next();
  expect(stream.request).toMatchObject({ method: 'GET', target: '/api/v1/pods?limit=1' });
  stream.respond(200, '{}', [['content-type', 'application/json']]);
  const response = await asked;
  expect(response.status).toBe(200);
  expect(await response.text()).toBe('{}');
  expect(await world.status()).toMatchObject({ tunnels: [{ state: 'active' }], streams: 0 });
});
