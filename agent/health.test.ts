import { networkInterfaces } from 'node:os';
import { expect, it } from 'vitest';
import { serveStatus } from './health.ts';

const SOURCES = { connected: () => false, metrics: () => Promise.resolve('# none'), metricsContentType: 'text/plain' };
const LOOPBACKS = Object.values(networkInterfaces())
  .flat()
  .filter((found) => found?.internal === true)
  .map((found) => (found?.family === 'IPv6' ? `[${found.address}]` : (found?.address ?? '')));

it('answers probes by either family, since the kubelet of an IPv6-only cluster has no other', async () => {
  const server = await serveStatus(undefined, 0, SOURCES);
  expect(LOOPBACKS.length).toBeGreaterThan(0);
  for (const address of LOOPBACKS) {
    expect((await fetch(`http://${address}:${server.port}/healthz`)).status).toBe(200);
    expect((await fetch(`http://${address}:${server.port}/readyz`)).status).toBe(503);
  }
  await server.close();
});
