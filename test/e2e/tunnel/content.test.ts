import { request } from 'node:https';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PROJECT } from '#scripts/lib/project.ts';
import { type BareWorld, startBareWorld } from '../../support/bare-world.ts';

let world: BareWorld;
beforeAll(async () => {
  world = await startBareWorld({ agent: 'in-process', project: () => Promise.resolve(PROJECT) });
  world.api.onRequest = (incoming, response) => {
    let octets = 0;
    incoming.on('data', (chunk: Buffer) => (octets += chunk.byteLength));
    incoming.on('end', () => response.setHeader('x-octets', octets).end(`${incoming.method} ${octets}`));
  };
});
afterAll(async () => world?.stop());

/** No client in a Worker can make such requests: they need a socket. */
function ask(method: string, content: string): Promise<{ status: number; octets: unknown }> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${world.token}`, 'content-length': content.length };
    const outgoing = request(world.url('/api/v1/pods'), { method, headers, ca: world.plane.caPem }, (response) => {
      response.resume();
      response.on('end', () => resolve({ status: response.statusCode ?? 0, octets: response.headers['x-octets'] }));
    });
    outgoing.on('error', reject);
    outgoing.end(content);
  });
}

test.each([
  ['GET', '', '0'],
  ['HEAD', '', '0'],
  ['GET', 'hello', '5'],
  ['POST', '', '0'],
  ['POST', 'hello', '5'],
  ['DELETE', '', '0'],
  ['DELETE', 'hello', '5'],
])('a %s whose content is "%s" and has a length arrives as it is', async (method, content, octets) => {
  expect(await ask(method, content)).toEqual({ status: 200, octets });
});
