import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { ask } from '../management/client.ts';
import { ORIGIN, type ScriptedAgent } from '../support/agent.ts';
import { makeWorld, type World } from '../support/world.ts';
import { READS, sessionOf, WRITES } from './browser.ts';

// Each attack was tried with its defence taken out: `requireOwnPage` in bearer.ts, and `cookie` in the lists of headers.ts and fields.ts.

let world: World;
let agent: ScriptedAgent;
let session: Awaited<ReturnType<typeof sessionOf>>;
beforeAll(async () => {
  world = await makeWorld();
  agent = await world.agent();
  session = await sessionOf(world.owner);
});
afterAll(async () => await world.end());

const byCookie = async (headers: Record<string, string>, init: RequestInit = {}) =>
  await world.fetch('/api/v1/pods', {
    ...init,
    token: null,
    headers: { cookie: `theme=dark; ${session.cookie}`, ...headers },
  });

test.each([
  ['GET', READS],
  ['DELETE', WRITES],
])(
  'attack: a %s with a session reaches the cluster as its person, and the cookie does not',
  async (method, headers) => {
    const asked = byCookie(headers, { method });
    const stream = await agent.next();
    stream.respond(200);
    expect((await asked).status).toBe(200);
    expect(stream.field('impersonate-user')).toBe(world.owner);
    for (const name of ['cookie', 'origin', 'authorization', 'sec-fetch-site']) expect(stream.field(name)).toBeNull();
    const sent = JSON.stringify(stream.request);
    expect(sent).not.toContain(session.token);
    expect(sent).not.toContain('theme=dark');
  },
);

test.each<[string, string, Record<string, string>]>([
  ['GET', 'without a word of where it comes from', {}],
  ['GET', 'from another site', { 'sec-fetch-site': 'cross-site' }],
  [
    'GET',
    'as a page, which a cluster’s content would become with the session',
    { ...READS, 'sec-fetch-dest': 'document' },
  ],
  ['GET', 'as a frame', { ...READS, 'sec-fetch-dest': 'iframe' }],
  ['POST', 'without an Origin', READS],
  ['POST', 'from another Origin', { ...READS, origin: 'https://evil.example' }],
  ['PATCH', 'from an opaque Origin', { origin: 'null' }],
])('attack: a %s with a session %s never reaches the cluster', async (method, _how, headers) => {
  const response = await byCookie(headers, { method });
  expect(response.status).toBe(403);
  expect(await response.json()).toMatchObject({ kind: 'Status', reason: 'Forbidden' });
  expect(agent.opened.length).toBe(0);
});

test.each<[string, Record<string, string>]>([
  ['no Origin', {}],
  ['no Origin but a word of the same site', READS],
  ['a foreign Origin', { origin: 'https://evil.example' }],
])('attack: a WebSocket with a session and %s is refused (CVE-2019-13209)', async (_what, headers) => {
  const response = await world.upgrade('/exec', { cookie: session.cookie, ...headers }, null);
  expect(response.status).toBe(403);
  expect(agent.opened.length).toBe(0);
});

test('a WebSocket of the plane’s own page goes through with its session', async () => {
  const asked = world.upgrade('/exec', { cookie: session.cookie, origin: ORIGIN }, null);
  const stream = await agent.next();
  expect(stream.field('cookie')).toBeNull();
  stream.respond(403);
  await asked;
});

test('a cookie and a bearer token that differ are refused', async () => {
  const response = await world.fetch('/api/v1/pods', { headers: { cookie: session.cookie, ...READS } });
  expect(response.status).toBe(401);
});

test('the use of a token by kubectl is noted, with the address, and holds nothing up', async () => {
  const made = await ask('POST /v1/tokens', { token: world.token, body: { spec: { description: 'for kubectl' } } });
  const asked = world.fetch('/api/v1/pods', { token: made.json.token, headers: { 'cf-connecting-ip': '192.0.2.7' } });
  (await agent.next()).respond(200);
  expect((await asked).status).toBe(200);
  await vi.waitFor(async () => {
    const { json } = await ask('GET /v1/tokens', { token: world.token });
    expect(json.items.find(({ id }: { id: string }) => id === made.json.id)).toMatchObject({
      status: { lastUsedAt: expect.stringMatching(/^\d{4}-/), lastUsedFrom: '192.0.2.7' },
    });
  });
});

test('a session that signed out is refused by the cluster within seconds', async () => {
  const ended = await sessionOf(world.owner);
  await ask('POST /v1/auth/logout', { token: ended.token });
  await vi.waitFor(async () => {
    const response = await world.fetch('/api/v1/pods', { token: null, headers: { cookie: ended.cookie, ...READS } });
    expect(response.status).toBe(401);
  }, 10_000);
});
