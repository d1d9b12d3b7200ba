import { afterAll, beforeAll, describe } from 'vitest';
import { startWorld, type World } from '../support/worlds/world.ts';
import { cancellation } from './kubectl/cancel.ts';
import { goneClient } from './kubectl/gone.ts';
import { helm } from './kubectl/helm.ts';
import { idleExec } from './kubectl/idle.ts';
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

// One world for all: an exec has to be idle for five minutes, in which everything else can be done.
const idle = idleExec(world);
idle.begin();
const gone = goneClient(world);
gone.begin();
describe('verbs of kubectl', () => verbs(world));
describe('through the plane as directly', () => parity(world));
describe('streams', () => streams(world));
describe('watches', () => watches(world));
describe('cancellation', () => cancellation(world));
describe('revocation', () => revocation(world));
describe('helm', () => helm(world));
describe('a client that is gone', () => gone.end());
describe('an idle stream', () => idle.end());
