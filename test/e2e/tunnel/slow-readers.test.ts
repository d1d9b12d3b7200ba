import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type TLSSocket } from 'node:tls';
import { Agent, fetch } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PROJECT } from '#scripts/lib/project.ts';
import { PLANE_LIMITS } from '#schema/protocol/limits.ts';
import { type BareWorld, startBareWorld } from '../../support/worlds/bare-world.ts';
import { MiB, residentBytes } from '../../support/memory.ts';

// Checked by counting content as consumed when it comes, not when its reader has taken it: what is sent never came to a stop.

const READERS = 100;
/** Of each response: more than the kernels at both ends of a connection take. */
const SIZE = 24 * MiB;
/** What a slow reader takes in a second. */
const TRICKLE_BYTES = 1024;
/** How long they are left alone once everything has come to a stop, s. */
const SECONDS = 4;
/** Less than this sent in a second is a stop; the trickle goes on. What kernels hold of a hundred connections goes by before. */
const STOPPED_BYTES = MiB;
const STOPPED_WITHIN_SECONDS = 90;
/** What a connection costs workerd besides: TLS, the pipe to its client, a stream's own state, and the allocator's slack. Measured: 0.2 to 0.6 MiB. */
const CONNECTION_BYTES = MiB;

let world: BareWorld;
let dispatcher: Agent;
const authorization = (): string => `Bearer ${world.token}`;

beforeAll(async () => {
  world = await startBareWorld({ agent: 'process', project: () => Promise.resolve(PROJECT) });
  dispatcher = new Agent({ connect: { ca: world.plane.caPem } });
  world.api.onRequest = ({ url }, response) => {
    if (url === '/quick') response.end('quick');
    else pour(response, url === '/warm' ? MiB : SIZE);
  };
});
afterAll(async () => {
  await dispatcher.destroy();
  await world.stop();
});

/** Answers with so much, as fast as it is taken. */
function pour(response: ServerResponse, size: number): void {
  const piece = Buffer.alloc(64 * 1024, 'x');
  let left = size;
  const go = (): void => {
    while (left > 0 && !response.destroyed) {
      left -= piece.byteLength;
      if (response.write(piece)) continue;
      response.once('drain', go);
      return;
    }
    response.end();
  };
  go();
}

async function get(path: string): Promise<number> {
  const response = await fetch(world.url(path), { dispatcher, headers: { authorization: authorization() } });
  expect(response.status).toBe(200);
  return (await response.arrayBuffer()).byteLength;
}

/** Asks for more than it takes: what its own kernel holds is all that it ever has of it. */
async function slowReader(): Promise<TLSSocket> {
  const { host, port, caPem, url } = world.plane;
  const socket = connect({ host, port, ca: caPem });
  socket.on('error', () => undefined);
  await once(socket, 'secureConnect');
  const head = [`GET ${new URL(world.url('/much')).pathname} HTTP/1.1`, `host: ${new URL(url).host}`];
  socket.write(`${[...head, `authorization: ${authorization()}`].join('\r\n')}\r\n\r\n`);
  socket.pause();
  return socket;
}

/** What the agent has sent through its tunnel, octets. */
async function sent(): Promise<number> {
  return Number(/tunnel_bytes_total\{direction="sent"\} (\d+)/.exec(await world.agent.metrics())?.[1]);
}

/** Waits until the readers have brought the tunnel to a stop. */
async function stopped(): Promise<void> {
  for (let waited = 0; ; waited++) {
    const before = await sent();
    await sleep(1000);
    if ((await sent()) - before < STOPPED_BYTES) return;
    if (waited > STOPPED_WITHIN_SECONDS) throw new Error('more and more is sent that nobody reads');
  }
}

test(
  `${READERS} clients that read nothing, or little, keep nobody else waiting, and cost no more than the session's window`,
  { timeout: 180_000 },
  async () => {
    // The heap and the allocator at their working size: what they keep of it would be taken for the readers'.
    await Promise.all(Array.from({ length: READERS }, () => get('/warm')));
    const before = await residentBytes(world.plane.pid);
    const readers = await Promise.all(Array.from({ length: READERS }, slowReader));
    await stopped();
    let most = 0;
    const waits: number[] = [];
    for (let second = 0; second < SECONDS; second++) {
      const asked = performance.now();
      await get('/quick');
      waits.push(performance.now() - asked);
      most = Math.max(most, await residentBytes(world.plane.pid));
      // Every other one trickles.
      for (const reader of readers.filter((_, index) => index % 2 === 0)) reader.read(TRICKLE_BYTES);
      await sleep(1000);
    }
    console.log(
      `${(await sent()) / MiB} MiB sent, memory ${before / MiB} MiB, then ${most / MiB} MiB; others waited ${waits.map(Math.round).join(', ')} ms`,
    );
    expect(readers.filter(({ destroyed }) => destroyed)).toEqual([]);
    expect(most - before).toBeLessThan(PLANE_LIMITS.sessionWindow + READERS * CONNECTION_BYTES);
    // A second is promised. Not of each: other tests may have the machine for one.
    expect(waits.toSorted((a, b) => a - b)[SECONDS / 2]).toBeLessThan(1_000);

    for (const reader of readers) reader.destroy();
    await expect
      .poll(async () => await world.agent.metrics(), { timeout: 10_000 })
      .toContain('outrider_agent_streams_open{kind="http"} 0');
  },
);
