import { connect } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PROJECT } from '#scripts/lib/project.ts';
import { type BareWorld, startBareWorld } from '../../support/worlds/bare-world.ts';

let world: BareWorld;
beforeAll(async () => {
  world = await startBareWorld({ agent: 'in-process', project: () => Promise.resolve(PROJECT) });
  world.api.onRequest = (incoming, response) => {
    const { 'impersonate-user': user } = incoming.headers;
    response.end(JSON.stringify({ target: incoming.url, user }));
  };
});
afterAll(async () => world?.stop());

/** A request whose first line is sent as it is written here; clients would tidy it up. @returns the status, and what the API server was asked for, where it was asked */
async function raw(target: string): Promise<{ status: number; target?: string; user?: string }> {
  const { hostname, port } = new URL(world.plane.url);
  const socket = connect({ host: hostname, port: Number(port), ca: world.plane.caPem });
  const lines = [`GET ${target} HTTP/1.1`, `Host: ${hostname}`, `Authorization: Bearer ${world.token}`];
  socket.write(`${[...lines, 'Connection: close'].join('\r\n')}\r\n\r\n`);
  let answer = '';
  for await (const piece of socket) answer += String(piece);
  const [head = '', content = ''] = answer.split('\r\n\r\n');
  const told = /\{.*\}/.exec(content)?.[0] ?? '{}';
  return { status: Number(head.split(' ')[1]), ...(head.includes('200 OK') ? JSON.parse(told) : {}) };
}

const of = (target: string): string => new URL(world.url('')).pathname.replace(/\/$/, '') + target;

test.each([
  ['/x?', '/x?'],
  ['/x?&', '/x?&'],
  ['/x?a=b?c=d&', '/x?a=b?c=d&'],
  ['/a//b', '/a//b'],
  ['/a%2Fb%20c', '/a%2Fb%20c'],
  ['/x;y?%', '/x;y?%'],
  ['/x?q=|^`{}', '/x?q=|^`{}'],
  // What the platform makes of others, as RFC 3986 and the URL standard have it.
  ['/a/./b', '/a/b'],
  ['/a/../b', '/b'],
  ['/x\\..\\y', '/y'],
  ['/ü?ü', '/%C3%BC?%C3%BC'],
  ['/x#f?g', '/x'],
])('the target %s arrives as %s', async (sent, arrived) => {
  expect(await raw(of(sent))).toMatchObject({ status: 200, target: arrived });
});

// Taken out: that the object reads the last word (it read the first). Both failed.
test.each(['call', 'dial'])(
  'attack: a word (%s) in a client’s query is the client’s own, and names nobody',
  async (kind) => {
    const forged = `/x?outrider=${kind}~Zm9yZ2Vk~aaaaaaaaaaaaaaaa~~0~~`;
    const { user } = await raw(of('/x'));
    expect(await raw(of(forged))).toEqual({ status: 200, target: forged, user });
  },
);

test('attack: a word behind a # reaches nobody', async () => {
  const { user } = await raw(of('/x'));
  expect(await raw(of('/x#?outrider=call~Zm9yZ2Vk~aaaaaaaaaaaaaaaa~~0~~'))).toEqual({
    status: 200,
    target: '/x',
    user,
  });
});

// Taken out: the kind in the word (the object went by the path). It failed: the object took the first for an agent's dial, and answered 500.
test.each([
  '/../../../connect/tunnel',
  '/../../../v1/me',
  '/%2e%2e/c-gaaaaaaaaaabbbbbbbb/x',
  '/../c-gaaaaaaaaaabbbbbbbb/x',
])('attack: dot segments in %s lead out of the cluster to nothing', async (target) => {
  expect(await raw(of(target))).toEqual({ status: 404 });
});
