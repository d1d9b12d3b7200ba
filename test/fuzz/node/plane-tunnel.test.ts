import { expect, test } from 'vitest';
import { share } from '../play/budget.ts';
import { live, stubPlatform } from './lives.ts';
import { PlaneLife } from './plane-life.ts';

stubPlatform();

test('a tunnel of the plane with its requests bears whatever an agent sends', async () => {
  const frames = share(0.02);
  const answered = await live(frames, (dice, memory) => new PlaneLife(dice, memory));
  // Much of it is real work.
  expect(answered).toBeGreaterThan(frames / 100);
}, 600_000);
