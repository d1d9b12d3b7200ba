import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { AGENT_LIMITS, PLANE_LIMITS } from '#schema/protocol/limits.ts';
import { startAgentProcess } from '../../support/processes/agent.ts';
import { FakeWorld, makePki, type TestPki } from '../../support/fakes/world.ts';
import type { PlaneTunnel } from '../../support/fakes/plane.ts';
import { SEED } from '../../fuzz/play/budget.ts';
import { Dice } from '../../fuzz/make/dice.ts';
import { generate } from '../../fuzz/make/generate.ts';
import { mutate } from '../../fuzz/make/mutate.ts';
import { Referee } from '../../fuzz/judge/referee.ts';
import { requestHead } from '../../fuzz/make/words.ts';

/** Messages of noise, all tunnels together. */
const MESSAGES = 3000;

/** Of one tunnel, should none of them be a breach. */
const MESSAGES_PER_TUNNEL = 1000;

/** Breaches among frames: few, since an agent whose tunnels die young dials ever less often. */
const BREACHES = 0.0004;

let pki: TestPki;
let world: FakeWorld;

beforeAll(async () => {
  pki = await makePki();
});
afterAll(() => pki.remove());
beforeEach(async () => {
  world = await FakeWorld.make(pki, startAgentProcess);
});
afterEach(() => world.stop());

/** Says what the dice choose in the plane's name until the agent ends the tunnel. @returns how much it said. */
async function shout(tunnel: PlaneTunnel, dice: Dice): Promise<number> {
  const { socket, incarnation } = tunnel;
  // Only then has the agent heard that HELLO is settled.
  const first = tunnel.http({ target: '/' });
  expect(await first.text()).toBe('ok');
  const closed = once(socket, 'close');
  const referee = new Referee({
    role: 'agent',
    local: AGENT_LIMITS,
    peer: PLANE_LIMITS,
    incarnation,
    lastSequence: first.stream.sequence,
  });
  referee.settle();
  // What the agent answers is for a plane that never asked: nobody listens.
  socket.removeAllListeners('message');
  let before: Uint8Array<ArrayBuffer> = new Uint8Array(12);
  let said = 0;
  for (; said < MESSAGES_PER_TUNNEL && socket.readyState === socket.OPEN; said++) {
    const honest = generate(referee, dice, requestHead, BREACHES);
    const message = dice.chance(BREACHES) ? mutate(honest, dice, before) : honest;
    before = honest;
    if (!referee.ended) referee.overhear(message);
    await new Promise((resolve) => socket.send(message, resolve));
  }
  socket.close();
  await closed;
  return said;
}

it('an agent bears thousands of messages that no honest plane sends, comes back each time, and serves the next', async () => {
  const dice = new Dice(SEED);
  const { agent, tunnel } = await world.connect();
  let said = await shout(tunnel, dice);
  let tunnels = 1;
  while (said < MESSAGES) said += await shout(await world.plane.tunnel(++tunnels), dice);
  const last = await world.plane.tunnel(tunnels + 1);
  expect(await last.http({ target: '/' }).text()).toBe('ok');
  // It is the same process, and the plane's hundreds of streams have left nothing in it.
  expect(last.proof?.instance).toBe(tunnel.proof?.instance);
  await expect.poll(() => agent.metrics()).toMatch(/outrider_agent_streams_open\{kind="http"\} 0/);
  expect(await agent.metrics()).toContain('outrider_agent_tunnel_connected 1');
}, 240_000);
