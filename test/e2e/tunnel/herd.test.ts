import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { PROJECT } from '#scripts/lib/project.ts';
import type { Plane } from '#scripts/local/plane.ts';
import { random } from '../../conformance/support/link.ts';
import type { PlaneApi } from '../../support/api.ts';
import { type Attempt, Fleet } from '../../support/fleet.ts';
import { Scratch } from '../../support/processes/local.ts';
import { firstAdministrator } from '../../support/people.ts';
import { revocation } from './revocation.ts';

// Checked by taking out, one at a time: half of each wait (a dial came too early), and the pace for a plane that is away (p99 was 28 s).

/** "200 agents at once … all back in ≤ 30 s", and "tunnel back p99 ≤ 3 s after the plane is": what is promised. */
const SIZE = 200;
const ALL_BACK_MS = 30_000;
const BACK_P99_MS = 3_000;

/** Node cuts a timer's wait to whole milliseconds, and counts them on a clock of whole milliseconds. */
const TIMER_MS = 2;

const scratch = new Scratch();
let plane: Plane;
let api: PlaneApi;
let fleet: Fleet;
let seed = 0;
/** When the fleet began to dial. */
let began = 0;
/** Every agent has dice of its own, another one in each life. */
const dice = (agent: number): (() => number) => random((seed += agent + 1));

beforeAll(async () => {
  seed = Math.floor(Math.random() * 2 ** 31);
  console.log(`the seed of the agents’ waits is ${seed}`);
  plane = await scratch.plane({ project: PROJECT });
  [, api] = await firstAdministrator(plane);
  scratch.defer(() => api.close());
  fleet = await Fleet.enlist(plane, api, SIZE);
  scratch.defer(() => fleet.stop());
  began = performance.now();
  fleet.start(dice);
});
afterEach(() => {
  for (const { attempts } of fleet.agents) expectPaced(attempts);
});
afterAll(async () => await scratch.clear());

/**
 * Waits until all tunnels are back. How long that took since `since`, and after what time 99 of 100 had begun the dial that brought them back, ms: what comes then is
 * the handshakes of all of them, on whatever machine this is.
 */
async function back(since: number): Promise<{ dialled: number; last: number }> {
  const last = ((await fleet.settled()).at(-1) ?? NaN) - since;
  const begun = fleet.agents.map(({ attempts }) => (attempts.at(-1)?.at ?? NaN) - since).toSorted((a, b) => a - b);
  const result = { dialled: begun[Math.ceil(SIZE * 0.99) - 1] ?? NaN, last };
  console.log(`${SIZE} tunnels are back`, result, `after ${dials()} dials`);
  return result;
}

const dials = (): number => fleet.agents.reduce((sum, { attempts }) => sum + attempts.length, 0);

/** No dial comes before the wait that follows the attempt before it, and no wait is longer than what `reconnect.ts` promises. */
function expectPaced(attempts: readonly Attempt[]): void {
  let failures = 0;
  let died = 0;
  let away = 0;
  for (const [index, { ended, endedAt, wait }] of attempts.entries()) {
    if (ended === undefined || endedAt === undefined || wait === undefined) {
      expect(index).toBe(attempts.length - 1);
      return;
    }
    let ceiling: number;
    if (ended.how === 'away') {
      ceiling = Math.min(30_000, Math.max(away === 0 ? 1_000 : 2_000, away / 20));
      away += wait;
    } else if (ended.how === 'lived') {
      died = ended.ms >= 10_000 ? 0 : died + 1;
      // No tunnel dies twenty times here.
      ceiling = died <= 1 ? 1_000 : 2_000;
      failures = 0;
      away = 0;
    } else {
      ceiling = Math.min(30_000, 1_000 * 2 ** failures);
      failures++;
      away = 0;
    }
    expect(wait).toBeLessThanOrEqual(ceiling);
    const next = attempts[index + 1];
    if (next !== undefined) expect(next.at).toBeGreaterThanOrEqual(endedAt + wait - TIMER_MS);
  }
}

test(`${SIZE} agents that dial at once are all settled`, async () => {
  expect((await back(began)).last).toBeLessThan(ALL_BACK_MS);
  expect(dials()).toBe(SIZE);
});

test('a plane that restarts has them all back', async () => {
  await fleet.settled();
  await plane.kill();
  await fleet.lost();
  await plane.restart();
  const { dialled, last } = await back(performance.now());
  expect(dialled).toBeLessThan(BACK_P99_MS);
  expect(last).toBeLessThan(ALL_BACK_MS);
});

test('a plane that was away for longer has them all back as soon', async () => {
  await fleet.settled();
  const before = dials();
  await plane.kill();
  await fleet.lost();
  await sleep(9_000);
  // Each dialled several times in vain.
  expect(dials() - before).toBeGreaterThan(3 * SIZE);
  await plane.restart();
  const { dialled, last } = await back(performance.now());
  expect(dialled).toBeLessThan(BACK_P99_MS);
  expect(last).toBeLessThan(ALL_BACK_MS);
});

test('a plane that answers 503, then 429, is left alone more and more, and has them all back', async () => {
  await fleet.stop();
  await plane.kill();
  const standIn = await StandIn.start(plane);
  fleet.start(dice);
  await sleep(2_000);
  standIn.status = 429;
  await sleep(2_000);
  await standIn.stop();
  // The dials that the other side saw are among those that were recorded; some answers may have been lost with it.
  const refused = fleet.agents.flatMap(({ attempts }) => attempts).filter(({ status }) => status !== undefined);
  expect(refused.length).toBeGreaterThan(SIZE / 2);
  expect(standIn.dials).toBeGreaterThanOrEqual(refused.length);
  expect(standIn.dials).toBeLessThanOrEqual(dials());
  // A first dial, and with ceilings of 1, 2, 4 and 8 s three or four more.
  expect(dials()).toBeLessThan(6 * SIZE);
  await plane.restart();
  expect((await back(performance.now())).last).toBeLessThan(ALL_BACK_MS);
});

describe('revocation', () => revocation(() => ({ plane, api, fleet, dice })));

/** Something at the plane's address, with its certificate, that refuses every dial. */
class StandIn {
  status = 503;
  dials = 0;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    server.on('upgrade', (_request, socket) => {
      this.dials++;
      socket.end(`HTTP/1.1 ${this.status} Refused\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`);
    });
  }

  static async start({ chainPem, dataDir, host, port }: Plane): Promise<StandIn> {
    const server = createServer({ cert: chainPem, key: await readFile(join(dataDir.tls, 'server.key')) });
    server.listen(port, host);
    await once(server, 'listening');
    return new StandIn(server);
  }

  async stop(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }
}
