import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, fetch, type RequestInit, type Response } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { random } from '../../conformance/support/link.ts';
import { type BareWorld, startBareWorld } from '../../support/worlds/bare-world.ts';
import { deploy, resettableProject } from '../../support/resettable.ts';

// A mixed load, and deploys in the middle of it. The API server is the witness of what was executed.
//
// Checked by letting the Worker repeat nothing (a read got 502), and repeat everything without content (a DELETE was executed twice).

/** After more of them in so short a time the agent's wait before it dials could pass what a request waits for it: a tunnel that lived for seconds only counts as a failure. */
const DEPLOYS = 2;
/** How long the load goes on between two deploys, from the agent's return on, ms. */
const CALM_MS = 1_000;
/** A watch that was cut must be known to be within this time, ms. */
const TOLD_MS = 2_000;
const PIECE = Buffer.alloc(32 * 1024, 'x');
const PIECES = 64;
const END = 'this is all';

let world: BareWorld;
let dispatcher: Agent;
let dice: () => number;
/** `events`: how much has happened in the cluster, for watches; event n is the number n. `deployedAt`: when the last deploy was. */
const load = { over: false, events: 0, deployedAt: 0 };

/** How often the API server executed each write. */
const executed = new Map<string, number>();
const watchers = new Set<() => void>();

beforeAll(async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  console.log(`the seed of the load is ${seed}`);
  dice = random(seed);
  world = await startBareWorld({ agent: 'in-process', project: resettableProject });
  dispatcher = new Agent({ connect: { ca: world.plane.caPem } });
  world.api.onRequest = (request, response) => void serve(request, response);
  const echo = new WebSocketServer({ noServer: true });
  echo.on('connection', (socket) => socket.on('message', (data) => socket.send(data)));
  world.api.onUpgrade = (request, socket, head) => {
    echo.handleUpgrade(request, socket, head, (client) => echo.emit('connection', client, request));
  };
});
afterAll(async () => {
  await dispatcher.destroy();
  await world.stop();
});

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [path = '', query = ''] = (request.url ?? '').split('?');
  if (path.startsWith('/write')) executed.set(path, (executed.get(path) ?? 0) + 1);
  if (path === '/watch') {
    await serveWatch(response, Number(query));
    return;
  }
  request.resume();
  // Before the head, so that many are without one when a deploy comes.
  await sleep(dice() * 300);
  if (path !== '/download') {
    response.end(`${path} ${END}`);
    return;
  }
  // Every other one declares its length; the others end with a last chunk.
  if (query === 'declared') response.setHeader('content-length', PIECES * PIECE.byteLength + END.length);
  for (let piece = 0; piece < PIECES && !response.destroyed; piece++) {
    response.write(PIECE);
    await sleep(dice() * 20);
  }
  response.end(END);
}

async function serveWatch(response: ServerResponse, since: number): Promise<void> {
  response.flushHeaders();
  for (let next = since + 1; !response.destroyed && !(load.over && next > load.events); next++) {
    while (load.events < next && !response.destroyed) await new Promise<void>((resolve) => watchers.add(resolve));
    response.write(`${next}\n`);
  }
  response.end();
}

function happen(): void {
  load.events++;
  for (const wake of watchers) wake();
  watchers.clear();
}

async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = { authorization: `Bearer ${world.token}` };
  return await fetch(world.url(path), { dispatcher, redirect: 'manual', headers, ...init });
}

/** Runs one thing over and over until the load is over. */
async function loop(once: (turn: number) => Promise<void>): Promise<void> {
  for (let turn = 0; !load.over; turn++) await once(turn);
}

test('a deploy in the middle of a mixed load', async () => {
  const seen = { reads: 0, downloads: 0, broken: 0, writes: 0, unsure: 0, watchEnds: 0, execEnds: 0 };

  const read = (reader: number) => async (turn: number) => {
    const path = `/read/${reader}/${turn}`;
    const response = await ask(path);
    expect(response.status).toBe(200);
    // Its head may have come just before a deploy: then it breaks, and is never cut short in silence.
    const text = await response.text().catch(() => null);
    if (text === null) seen.broken++;
    else expect(text).toBe(`${path} ${END}`);
    seen.reads++;
  };

  const download = async (turn: number): Promise<void> => {
    const response = await ask(`/download?${turn % 2 === 0 ? 'declared' : 'chunked'}`);
    expect(response.status).toBe(200);
    const text = await response.text().catch(() => null);
    if (text === null) seen.broken++;
    else expect(text.length === PIECES * PIECE.byteLength + END.length && text.endsWith(END)).toBe(true);
    seen.downloads++;
  };

  const write = (writer: number) => async (turn: number) => {
    const path = `/write/${writer}/${turn}`;
    const method = ['POST', 'PUT', 'PATCH', 'DELETE'][turn % 4] ?? '';
    const response = await ask(path, { method, ...(method !== 'DELETE' && { body: '{}' }) });
    await response.text().catch(() => '');
    const times = executed.get(path) ?? 0;
    seen.writes++;
    if (response.status === 200) {
      expect(times).toBe(1);
      return;
    }
    expect(response.status).toBe(502);
    // Later too: what was dispatched may only now be executed.
    unsure.push(path);
    seen.unsure++;
  };
  const unsure: string[] = [];

  const watch = async (): Promise<number> => {
    let last = 0;
    while (!load.over || last < load.events) {
      const { body, status } = await ask(`/watch?${last}`);
      expect(status).toBe(200);
      let rest = '';
      try {
        for await (const chunk of body as AsyncIterable<Uint8Array>) {
          rest += Buffer.from(chunk).toString();
          const lines = rest.split('\n');
          rest = lines.pop() ?? '';
          // In order, none twice and none left out.
          for (const line of lines) expect(Number(line)).toBe(++last);
        }
      } catch (error) {
        // As a client would be told: it resumes from what it has seen.
        if (error instanceof Error && error.name === 'AssertionError') throw error;
      }
      if (load.over && last >= load.events) break;
      seen.watchEnds++;
      expect(performance.now() - load.deployedAt).toBeLessThan(TOLD_MS);
    }
    return last;
  };

  const exec = async (): Promise<void> => {
    const socket = new WebSocket(world.url('/exec').replace('https', 'wss'), {
      ca: world.plane.caPem,
      headers: { authorization: `Bearer ${world.token}` },
    });
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    socket.on('error', () => undefined);
    const opened = await Promise.race([once(socket, 'open').then(() => true), closed.then(() => false)]);
    // A deploy met its handshake, which no one may repeat.
    if (!opened) {
      await sleep(100);
      return;
    }
    while (!load.over && socket.readyState === socket.OPEN) {
      socket.send('hello');
      await Promise.race([once(socket, 'message'), closed]);
      await sleep(20);
    }
    if (!load.over) seen.execEnds++;
    socket.terminate();
  };

  const ticking = setInterval(happen, 20);
  const clients = Promise.all([
    ...Array.from({ length: 6 }, (_, reader) => loop(read(reader))),
    ...Array.from({ length: 4 }, (_, writer) => loop(write(writer))),
    ...Array.from({ length: 2 }, () => loop(download)),
    ...Array.from({ length: 2 }, () => loop(exec)),
  ]);
  const watches = Promise.all(Array.from({ length: 3 }, watch));
  const deploys = (async () => {
    for (let i = 0; i < DEPLOYS; i++) {
      await sleep(CALM_MS + dice() * 100);
      load.deployedAt = performance.now();
      await deploy(world.plane, world.clusterId);
      // Waits for the agent.
      expect((await ask('/read/back')).status).toBe(200);
    }
    await sleep(CALM_MS);
    clearInterval(ticking);
    load.over = true;
    // The last one, on which the watches end.
    happen();
  })();
  // A failure of one shows at once.
  await Promise.all([clients, deploys, watches]);
  expect(await watches).toEqual([load.events, load.events, load.events]);
  for (const path of unsure) expect(executed.get(path) ?? 0).toBeLessThanOrEqual(1);
  expect(Math.max(...executed.values())).toBe(1);
  console.log(seen);
  await expect.poll(() => world.agent.metrics()).toContain('outrider_agent_streams_open{kind="http"} 0');
  // Each deploy met something of everything.
  expect(seen.watchEnds).toBe(3 * DEPLOYS);
  expect(seen.execEnds).toBeGreaterThanOrEqual(DEPLOYS);
  expect(seen.broken).toBeGreaterThan(0);
  expect(seen.unsure).toBeGreaterThan(0);
});
