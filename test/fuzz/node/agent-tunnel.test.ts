import { expect, test } from 'vitest';
import { share } from '../play/budget.ts';
import { agentKey, AgentLife } from './agent-life.ts';
import { live, stubPlatform } from './lives.ts';

stubPlatform();

test("an agent's tunnel with its requests bears whatever a plane sends", async () => {
  const privateKey = await agentKey();
  const frames = share(0.01);
  const answered = await live(frames, (dice, memory) => new AgentLife(dice, memory, privateKey));
  // Much of it is real work.
  expect(answered).toBeGreaterThan(frames / 100);
}, 600_000);
