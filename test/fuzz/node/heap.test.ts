import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { LIMITS } from '../../conformance/support/link.ts';
import { SEED } from '../play/budget.ts';
import { playCase } from '../play/case.ts';
import { Dice } from '../make/dice.ts';
import { Peer } from '../make/peer.ts';
import { agentKey, AgentLife } from './agent-life.ts';
import { live, stubPlatform } from './lives.ts';
import { PlaneLife } from './plane-life.ts';
import { turn } from './turn.ts';

stubPlatform();

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** A session that is never let go left 6 MiB and more behind, a stream 2 (both tried); compilers and pools 50 KiB at most in the middle round. */
const SLACK_BYTES = 512 * 1024;

/** Octets in use once all garbage is gone, those outside the heap too. */
async function inUse(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    await turn();
    collect();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/**
 * What a round of the same work leaves behind, in the middle one of five: a leak is in each of them, what a compiler keeps for itself in one or two.
 */
async function leftBy(round: (n: number) => unknown): Promise<number> {
  for (let n = 0; n < 2; n++) await round(n);
  const left: number[] = [];
  let before = await inUse();
  for (let n = 2; n < 7; n++) {
    await round(n);
    const after = await inUse();
    left.push(after - before);
    before = after;
  }
  return left.toSorted((one, other) => one - other)[2] ?? NaN;
}

test.each(['plane', 'agent'] as const)(
  'sessions of the %s leave nothing behind',
  async (role) => {
    const left = await leftBy((n) => {
      const memory: Uint8Array<ArrayBuffer>[] = [];
      for (let i = 0; i < 100; i++) expect(playCase(role, SEED + 1000 * n + i, memory).fault).toBeNull();
    });
    expect(left).toBeLessThan(SLACK_BYTES);
  },
  120_000,
);

test('streams leave nothing behind in sessions that live on', async () => {
  const dice = new Dice(SEED);
  const options = { local: LIMITS, peer: LIMITS, incarnation: 0, lastSequence: 0 };
  const plane = new Peer({ ...options, role: 'plane' });
  const agent = new Peer({ ...options, role: 'agent' });
  const left = await leftBy(() => {
    for (let i = 0; i < 20_000; i++) {
      plane.act(dice);
      agent.act(dice);
      for (const [from, to] of [
        [plane, agent],
        [agent, plane],
      ] as const) {
        const message = from.session.pull();
        if (message !== null) to.session.receive(message);
      }
    }
    expect([plane.ended, agent.ended]).toEqual([false, false]);
  });
  expect(left).toBeLessThan(SLACK_BYTES);
}, 120_000);

test('tunnels of the plane leave nothing behind', async () => {
  const left = await leftBy(() => live(3000, (dice, memory) => new PlaneLife(dice, memory)));
  expect(left).toBeLessThan(SLACK_BYTES);
}, 120_000);

test('tunnels of an agent leave nothing behind', async () => {
  const privateKey = await agentKey();
  const left = await leftBy(() => live(2000, (dice, memory) => new AgentLife(dice, memory, privateKey)));
  expect(left).toBeLessThan(SLACK_BYTES);
}, 120_000);
