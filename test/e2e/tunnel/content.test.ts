import { request } from 'node:https';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PROJECT } from '#scripts/lib/project.ts';
import { type BareWorld, startBareWorld } from '../../support/worlds/bare-world.ts';

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

/** A request to the plane itself whose content has no length; null: the answer never came. */
function askPlane(method: string, path: string, octets: number): Promise<number | null> {
  return new Promise((resolve) => {
    const headers = { 'content-type': 'application/json', 'transfer-encoding': 'chunked' };
    const outgoing = request(world.plane.url + path, { method, headers, ca: world.plane.caPem }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? null));
    });
    outgoing.on('error', () => resolve(null));
    outgoing.end(Buffer.alloc(octets, ' '));
  });
}

// Tried with Hono's own limit, which leaves nobody to take the rest.
test('a body without a length that is too large for the plane is refused, and its client reads why', async () => {
  for (let turn = 0; turn < 10; turn++) expect(await askPlane('POST', '/v1/auth/local', 8 * 1024 * 1024)).toBe(413);
});

test('a GET of the plane with content is answered as one without', async () => {
  expect(await askPlane('GET', '/v1/me', 5)).toBe(401);
});

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
