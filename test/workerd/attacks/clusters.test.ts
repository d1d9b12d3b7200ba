import { listDurableObjectIds, runInDurableObject } from 'cloudflare:test';
import { env, exports } from 'cloudflare:workers';
import { base64url } from 'jose';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { clusterObject, newClusterId } from '#workers/cluster/stub.ts';
import { withWord } from '#workers/cluster/request/word.ts';
import { ORIGIN, type ScriptedAgent } from '../support/agent.ts';
import { makeWorld, principal, type World } from '../support/world.ts';

// Each attack was tried with its defence taken out; the comment over it says what was taken out, and that it failed then.

let a: World;
let b: World;
let agentA: ScriptedAgent;
let agentB: ScriptedAgent;
beforeEach(async () => {
  a = await makeWorld();
  b = await makeWorld();
  agentA = await a.agent();
  agentB = await b.agent();
  for (const [agent, name] of [
    [agentA, 'A'],
    [agentB, 'B'],
  ] as const) {
    agent.serve((stream) => stream.respond(200, name));
  }
});
afterEach(async () => {
  await a.end();
  await b.end();
});

/** Asks with a token that is good for A alone. */
async function ask(path: string, init: RequestInit = {}): Promise<{ status: number; text: string }> {
  const token = await a.tokenFor({ cluster: a.id });
  const headers = { ...(init.headers as Record<string, string>), authorization: `Bearer ${token}` };
  const response = await exports.default.fetch(`${ORIGIN}${path}`, { redirect: 'manual', ...init, headers });
  return { status: response.status, text: await response.text() };
}

const reached = (text: string): string | null => (/^[AB]$/.test(text) ? text : null);

test('a token for A reaches A', async () => {
  expect(await ask(`/k8s/clusters/${a.id}/version`)).toEqual({ status: 200, text: 'A' });
});

// Taken out: the check of the token's cluster in policy.ts. All six failed: B answered.
test.each<[string, (from: string, to: string) => string]>([
  ['its own path', (_, to) => `/k8s/clusters/${to}/version`],
  ['dot segments', (from, to) => `/k8s/clusters/${from}/../${to}/version`],
  ['encoded dot segments', (from, to) => `/k8s/clusters/${from}/%2e%2e/${to}/version`],
  ['mixed dot segments', (from, to) => `/k8s/clusters/${from}/.%2E/${to}/version`],
  ['many dot segments', (from, to) => `/k8s/clusters/${from}/a/b/../../../${to}/version`],
  ['back slashes', (from, to) => `/k8s/clusters/${from}\\..\\${to}/version`],
])('attack: a token for A does not reach B by %s', async (_, path) => {
  const { status, text } = await ask(path(a.id, b.id));
  expect(reached(text)).not.toBe('B');
  expect(status).toBe(403);
});

// Taken out: that the id is taken whole and as it is (it was decoded, lowered and searched for). Ten of twelve failed; doubled slashes still were no path of the proxy,
// and the prefix of an id still was none.
test.each<[string, (from: string, to: string) => string]>([
  ['encoded slashes', (from, to) => `/k8s/clusters/${from}%2F..%2F${to}/version`],
  ['encoded slashes in front', (from, to) => `/k8s/clusters/%2F${to}/${from}`],
  ['doubled slashes', (from, to) => `/k8s/clusters//${to}/../${from}`],
  ['another case', (_, to) => `/k8s/clusters/${to.toUpperCase()}/version`],
  ['an encoded letter', (_, to) => `/k8s/clusters/%63${to.slice(1)}/version`],
  ['a prefix of an id', (_, to) => `/k8s/clusters/${to.slice(0, 12)}/version`],
  ['an id and more', (_, to) => `/k8s/clusters/${to}x/version`],
  ['a trailing dot', (_, to) => `/k8s/clusters/${to}./version`],
  ['a trailing space', (_, to) => `/k8s/clusters/${to}%20/version`],
  ['a parameter', (from, to) => `/k8s/clusters/${to};${from}/version`],
  ['a null octet', (from, to) => `/k8s/clusters/${to}%00${from}/version`],
  ['two ids', (from, to) => `/k8s/clusters/${from},${to}/version`],
])('attack: a token for A does not reach B by %s: that is no cluster', async (_, path) => {
  const { status, text } = await ask(path(a.id, b.id));
  expect(reached(text)).not.toBe('B');
  expect(status).toBe(404);
});

// Taken out: that the first id counts and nothing is decoded. Three of four failed; a query was never looked at.
test.each<[string, (from: string, to: string) => string]>([
  ['a path inside A', (from, to) => `/k8s/clusters/${from}/k8s/clusters/${to}/version`],
  ['encoded slashes inside A', (from, to) => `/k8s/clusters/${from}/..%2F${to}/version`],
  ['a query', (from, to) => `/k8s/clusters/${from}/version?cluster=${to}&/../${to}`],
  ['a second encoding', (from, to) => `/k8s/clusters/${from}/%252e%252e/${to}/version`],
])('attack: a token for A stays in A with %s', async (_, path) => {
  expect(await ask(path(a.id, b.id))).toEqual({ status: 200, text: 'A' });
});

// Nothing reads these; there is no defence to take out.
test('attack: a header that names another cluster changes nothing', async () => {
  const headers = {
    'x-cluster': b.id,
    'x-original-url': `/k8s/clusters/${b.id}/`,
    'x-forwarded-prefix': `/k8s/clusters/${b.id}`,
    'x-http-method-override': 'DELETE',
  };
  expect(await ask(`/k8s/clusters/${a.id}/version`, { headers })).toEqual({ status: 200, text: 'A' });
});

/** The URL by which an object is asked, where a Worker names somebody. */
function named(kind: 'dial' | 'call', path: string, caller: object): string {
  const said = { requestId: 'r', traceparent: '', continued: false, acceptEncoding: null, address: '' };
  return withWord(`${ORIGIN}${path}`, { kind, caller: base64url.encode(JSON.stringify(caller)), ...said });
}

// Taken out: that the object reads the last word (it read the first). Both failed: A's object refused what was now B's agent, and somebody else was served.
test('attack: a word that a dial brings along does not make it the agent of another cluster', async () => {
  const forged = named('dial', '/connect/tunnel', { cluster: b.id, publicKey: b.key.publicKey, generation: 1 });
  const headers = { upgrade: 'websocket', authorization: `Bearer ${await a.credential()}` };
  const response = await exports.default.fetch(forged, { headers });
  expect(response.status).toBe(101);
  response.webSocket?.accept();
  response.webSocket?.close();
});

test('attack: a word that a request brings along names nobody', async () => {
  const stranger = principal(`u-${'b'.repeat(10)}`);
  const forged = named('call', `/k8s/clusters/${a.id}/version`, stranger);
  expect(await ask(forged.slice(ORIGIN.length))).toEqual({ status: 200, text: 'A' });
  const dial = named('dial', `/k8s/clusters/${a.id}/version`, { cluster: a.id, publicKey: 'x', generation: 1 });
  expect(await ask(dial.slice(ORIGIN.length))).toEqual({ status: 200, text: 'A' });
});

// Taken out, for this and the two that follow: the object's check that it is the one asked for. All three failed.
test('attack: an agent of A that dials B’s object is refused by the object itself', async () => {
  // The Worker dials the object that the credential names; here its word comes to the wrong one.
  const stub = (await clusterObject(env, a.config, b.id))!;
  const agent = { cluster: a.id, publicKey: a.key.publicKey, generation: 1 };
  const response = await stub.fetch(named('dial', '/connect/tunnel', agent), { headers: { upgrade: 'websocket' } });
  expect(response.webSocket).toBeNull();
  expect(response.status).toBe(404);
  expect((await b.status()).tunnels).toHaveLength(1);
});

test('attack: a request for A that comes to B’s object is refused by the object itself', async () => {
  const stub = (await clusterObject(env, a.config, b.id))!;
  const url = named('call', `/k8s/clusters/${a.id}/version`, principal(a.owner));
  expect((await stub.fetch(url)).status).toBe(404);
});

test('attack: a request that names nobody is refused by the object itself', async () => {
  const stub = (await clusterObject(env, a.config, a.id))!;
  const headers = { 'outrider-principal': base64url.encode(JSON.stringify(principal(a.owner))) };
  expect((await stub.fetch(`${ORIGIN}/k8s/clusters/${a.id}/version`, { headers })).status).toBe(503);
});

// Taken out: the look at the former field, in Worker and object. Each failed where its own was out.
test('attack: while a deploy puts Worker and object of different code together, neither believes a client', async () => {
  const forged = base64url.encode(JSON.stringify(principal(`u-${'b'.repeat(10)}`)));
  const headers = { 'outrider-principal': forged };
  // A newer Worker and an older object, which would believe the field. Without a credential, so that it is the Worker that is seen to refuse.
  expect((await exports.default.fetch(`${ORIGIN}/k8s/clusters/${a.id}/version`, { headers })).status).toBe(503);
  const dial = { ...headers, upgrade: 'websocket' };
  expect((await exports.default.fetch(`${ORIGIN}/connect/tunnel`, { headers: dial })).status).toBe(503);
  // An older Worker, which names the caller by the field and hands a client's query on, and a newer object.
  const stub = (await clusterObject(env, a.config, a.id))!;
  const url = named('call', `/k8s/clusters/${a.id}/version`, principal(a.owner));
  expect((await stub.fetch(url, { headers })).status).toBe(503);
});

test('attack: a snapshot of A is not taken by B’s object', async () => {
  const snapshot = {
    version: 1_000_000,
    cluster: { id: a.id, name: 'a', agentGeneration: 9 },
    people: {},
    revokedTokens: {},
  };
  const stub = (await clusterObject(env, a.config, b.id))!;
  const taken = runInDurableObject(stub, async (object) => await object.putSnapshot(snapshot));
  await expect(taken).rejects.toThrow('no such cluster');
  expect((await b.status()).tunnels).toHaveLength(1);
});

// Taken out: the check of the signature. It failed.
test('attack: an agent with a credential of A and the key of B proves nothing (Teleport 10.3.15)', async () => {
  const agent = await a.connect({ credential: await a.credential(), key: b.key });
  expect((await agent.closed).code).toBe(4008);
});

// Taken out: the cluster in `proofBytes`. It failed.
test('attack: a credential for A whose signature was made for another cluster proves nothing', async () => {
  const agent = await a.connect({ signedFor: b.id });
  expect((await agent.closed).code).toBe(4008);
});

// Taken out: the comparison of the MAC. It failed.
test('attack: ids that were guessed make no object', async () => {
  const before = await listDurableObjectIds(env.CLUSTERS);
  for (let i = 0; i < 50; i++) {
    const id = await newClusterId(a.config);
    const guess = id.slice(0, -1) + (id.endsWith('a') ? 'b' : 'a');
    const response = await exports.default.fetch(`${ORIGIN}/k8s/clusters/${guess}/version`, {
      headers: { authorization: `Bearer ${a.token}` },
    });
    expect(response.status).toBe(404);
  }
  expect(await listDurableObjectIds(env.CLUSTERS)).toEqual(before);
});
