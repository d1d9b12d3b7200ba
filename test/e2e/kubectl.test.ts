import { afterAll, beforeAll, describe } from 'vitest';
import { startWorld, type World } from '../support/worlds/world.ts';
import { cancellation } from './kubectl/cancel.ts';
import { helm } from './kubectl/helm.ts';
import { parity } from './kubectl/parity.ts';
import { revocation } from './kubectl/revocation.ts';
import { streams } from './kubectl/streams.ts';
import { verbs } from './kubectl/verbs.ts';
import { watches } from './kubectl/watches.ts';

let started: World | undefined;
const world = (): World => {
  if (started === undefined) throw new Error('the world did not start');
  return started;
};
beforeAll(async () => void (started = await startWorld({ agent: 'process' })));
afterAll(async () => started?.stop());

// One world for all.
describe('verbs of kubectl', () => verbs(world));
describe('through the plane as directly', () => parity(world));
describe('streams', () => streams(world));
describe('watches', () => watches(world));
describe('cancellation', () => cancellation(world));
describe('revocation', () => revocation(world));
describe('helm', () => helm(world));
