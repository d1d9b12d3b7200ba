import { runInDurableObject } from 'cloudflare:test';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ScriptedAgent } from '../support/agent.ts';
import { SocketClient } from '../support/client.ts';
import { makeWorld, type World } from '../support/world.ts';

// A deploy as Cloudflare does it: the Worker's invocations go on, the object is reset, its sockets break, and calls to it that are under way fail.

let world: World;
let agent: ScriptedAgent;
beforeEach(async () => {
  world = await makeWorld();
  agent = await world.agent();
});
afterEach(async () => {
  await world.quiet();
  await world.end();
});

async function deploy(): Promise<void> {
  const message = 'Durable Object reset because its code was updated.';
  const reset = runInDurableObject(await world.stub(), (_, state) => state.abort(message));
  await expect(reset).rejects.toThrow(message);
  expect(await agent.closed).toMatchObject({ code: 1006 });
}

/** The agent's next dial, as its own reconnect makes it. */
async function redial(): Promise<ScriptedAgent> {
  agent = await world.agent({ instance: agent.instance, epoch: (agent.options.epoch ?? 1) + 1 });
  return agent;
}

const waiting = async (requests: number): Promise<void> =>
  await expect.poll(async () => (await world.status()).waiting).toBe(requests);

test('what has no effect and had no head is asked again, and waits for the agent’s dial', async () => {
  const methods = ['GET', 'HEAD', 'OPTIONS'];
  const asked = methods.map(async (method) => await world.fetch('/version', { method }));
  for (const method of methods) expect((await agent.next()).request.method).toBe(method);
  await deploy();
  await waiting(methods.length);
  (await redial()).serve((stream) => stream.respond(200, stream.request.method === 'GET' ? 'again' : ''));
  expect((await Promise.all(asked)).map(({ status }) => status)).toEqual([200, 200, 200]);
  expect(await (await asked[0])?.text()).toBe('again');
});

test('what may have had an effect is not sent again, with content or without, and the client hears that', async () => {
  const writes = [
    world.fetch('/pods', { method: 'POST', body: '{}' }),
    world.fetch('/pods', { method: 'POST' }),
    world.fetch('/pods/a', { method: 'PUT', body: '{}' }),
    world.fetch('/pods/a', { method: 'PATCH', body: '{}' }),
    world.fetch('/pods/a', { method: 'DELETE' }),
    world.upgrade('/api/v1/namespaces/default/pods/web/exec?command=date'),
    // No server may give it a meaning, and none may be kept from it (RFC 9110 §9.3.1).
    world.fetch('/odd', { method: 'REPORT', body: '{}' }),
  ];
  for (const _ of writes) await agent.next();
  await deploy();
  for (const asked of writes) {
    const response = await asked;
    expect(response.status).toBe(502);
    expect(response.headers.has('retry-after')).toBe(false);
    expect(await response.json()).toMatchObject({ kind: 'Status', status: 'Failure', code: 502 });
  }
  await redial();
  const next = world.fetch('/version');
  (await agent.next()).respond(200);
  expect((await next).status).toBe(200);
  expect(agent.opened.length).toBe(0);
});

test.each<[string, [string, string][]]>([
  ['of no declared length', []],
  ['of a declared length', [['content-length', '10']]],
  ['that is a watch', [['content-type', 'application/json;stream=watch']]],
])('a response %s that has begun is broken off: it never ends as if it were whole', async (_, fields) => {
  const asked = world.fetch('/begun');
  const stream = await agent.next();
  stream.head(200, fields);
  stream.write('begun');
  const reader = (await asked).body!.getReader();
  expect(new TextDecoder().decode((await reader.read()).value)).toBe('begun');
  await deploy();
  await expect(reader.read()).rejects.toThrow('reset');
});

test('an open WebSocket breaks', async () => {
  const asked = world.upgrade('/api/v1/namespaces/default/pods/web/exec?command=sh');
  (await agent.next()).head(101);
  const client = new SocketClient(await asked);
  await deploy();
  expect(await client.closed).toMatchObject({ code: 1006 });
});

test('a client that goes away while its request is asked again leaves nothing behind', async () => {
  const controller = new AbortController();
  const asked = world.fetch('/given-up', { signal: controller.signal });
  await agent.next();
  await deploy();
  await waiting(1);
  controller.abort();
  await expect(asked).rejects.toThrow('aborted');
  await waiting(0);
  await redial();
  const next = world.fetch('/version');
  const stream = await agent.next();
  expect(stream.request.target).toBe('/version');
  stream.respond(200);
  expect((await next).status).toBe(200);
});

test('a request is asked twice and no oftener: it may be what the object dies of', async () => {
  const asked = world.fetch('/poison');
  for (let life = 1; life <= 2; life++) {
    expect((await agent.next()).request.target).toBe('/poison');
    await deploy();
    await redial();
  }
  expect((await asked).status).toBe(502);
  expect(agent.opened.length).toBe(0);
});
