import { afterAll, beforeAll, describe } from 'vitest';
import { startWorld, type World } from '../support/world.ts';
import { streams } from './kubectl/streams.ts';
import { verbs } from './kubectl/verbs.ts';

let started: World | undefined;
const world = (): World => {
  if (started === undefined) throw new Error('the world did not start');
  return started;
};
beforeAll(async () => void (started = await startWorld({ agent: 'process' })));
afterAll(async () => started?.stop());

describe('verbs of kubectl', () => verbs(world));
describe('streams', () => streams(world));
