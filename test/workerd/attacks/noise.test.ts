import { afterEach, beforeEach, expect, test } from 'vitest';
import { AGENT_LIMITS, PLANE_LIMITS } from '#schema/protocol/limits.ts';
import { SEED } from '../../fuzz/play/budget.ts';
import { Dice } from '../../fuzz/make/dice.ts';
import { generate } from '../../fuzz/make/generate.ts';
import { mutate } from '../../fuzz/make/mutate.ts';
import { Referee } from '../../fuzz/judge/referee.ts';
import { responseHead } from '../../fuzz/make/words.ts';
import type { ScriptedAgent } from '../support/agent.ts';
import { makeWorld, type World } from '../support/world.ts';

/** Messages of noise, all tunnels together. */
const MESSAGES = 2000;

/** Of one tunnel, should none of them be a breach. */
const MESSAGES_PER_TUNNEL = 300;

let world: World;
beforeEach(async () => {
  world = await makeWorld();
});
afterEach(async () => await world.end());

/** Requests of all kinds under way on a tunnel, and what the wire knows of them. */
async function requests(agent: ScriptedAgent): Promise<{ referee: Referee; over: Promise<unknown> }> {
  const referee = new Referee({
    role: 'plane',
    local: PLANE_LIMITS,
    peer: AGENT_LIMITS,
    incarnation: 0,
    lastSequence: 0,
  });
  referee.settle();
  const asked = [
    world.fetch('/version'),
    world.fetch('/api/v1/pods?watch=1'),
    world.fetch('/api/v1/pods', { method: 'POST', body: 'x'.repeat(10_000) }),
    world.upgrade('/api/v1/namespaces/default/pods/web/exec'),
  ];
  for (const _ of asked) {
    const { stream } = await agent.next();
    referee.incarnation = stream.incarnation;
    referee.lastOnWire = Math.max(referee.lastOnWire, stream.sequence);
    referee.open(stream.sequence);
    const line = referee.lines.get(stream.sequence);
    if (line !== undefined) line.opened = true;
  }
  const read = asked.map(async (response) => {
    const { webSocket, body } = await response;
    webSocket?.accept();
    await body?.pipeTo(new WritableStream()).catch(() => undefined);
  });
  return { referee, over: Promise.all(read) };
}

test('a plane bears thousands of messages that no honest agent sends, ends every request, and serves the next agent', async () => {
  const dice = new Dice(SEED);
  let before: Uint8Array<ArrayBuffer> = new Uint8Array(12);
  let tunnels = 0;
  for (let sent = 0; sent < MESSAGES; tunnels++) {
    const agent = await world.agent();
    const { referee, over } = await requests(agent);
    const state = { closed: false };
    void agent.closed.then(() => (state.closed = true));
    for (let i = 0; i < MESSAGES_PER_TUNNEL && !state.closed; i++, sent++) {
      const honest = generate(referee, dice, responseHead);
      const message = dice.chance(0.02) ? mutate(honest, dice, before) : honest;
      before = honest;
      if (!referee.ended) referee.overhear(message);
      try {
        agent.socket.send(message);
      } catch {
        break;
      }
      // It is closed only when this test lets the plane have its turn.
      if (i % 8 === 0 || referee.ended) await world.status();
    }
    agent.hangUp();
    await over;
  }
  expect(tunnels).toBeGreaterThan(MESSAGES / MESSAGES_PER_TUNNEL);
  await world.quiet();
  const agent = await world.agent();
  const asked = world.fetch('/version');
  (await agent.next()).respond(200, 'well');
  expect(await (await asked).text()).toBe('well');
}, 120_000);
