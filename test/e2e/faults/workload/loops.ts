import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../../../support/faults/random.ts';
import type { Client } from './client.ts';
import type { Kind } from './journal.ts';
import { appended, BULK_PATH, CONFIG_MAPS, created, FIXED_PATH, generated, ROLES } from './objects.ts';

/** Loops of each kind: each sends one request after another, as a controller does. */
const LOOPS: Record<Kind, number> = { get: 2, bulk: 1, create: 2, generate: 1, append: 2 };

/** Between requests of a loop, ms: a schedule is about faults and not about load. */
const THINK_MS = { least: 5, most: 40 } as const;
/** After a failure, ms: a plane that is away refuses at once. */
const AFTER_FAILURE_MS = 60;

/** Sends requests until `over`; resolves when the last is answered. Nothing is sent twice. */
export async function work(client: Client, schedule: string, seed: number, over: () => boolean): Promise<void> {
  let sent = 0;
  const loop = async (kind: Kind, random: Random): Promise<void> => {
    while (!over()) {
      const told = await sendOne(client, kind, `${schedule}-${kind}-${sent++}`, schedule);
      const wait = random.int(THINK_MS.least, THINK_MS.most);
      await sleep(told.how === 'answered' && told.status < 500 ? wait : AFTER_FAILURE_MS + wait);
    }
  };
  const kinds = (Object.keys(LOOPS) as Kind[]).flatMap((kind) => Array.from({ length: LOOPS[kind] }, () => kind));
  await Promise.all(kinds.map((kind, i) => loop(kind, new Random(seed * 100 + i))));
}

async function sendOne(client: Client, kind: Kind, id: string, schedule: string): ReturnType<Client['send']> {
  switch (kind) {
    case 'get':
      return await client.send(kind, id, 'GET', FIXED_PATH);
    case 'bulk':
      return await client.send(kind, id, 'GET', BULK_PATH);
    case 'create':
      return await client.send(kind, id, 'POST', CONFIG_MAPS, created(id, schedule));
    case 'generate':
      return await client.send(kind, id, 'POST', CONFIG_MAPS, generated(id, schedule));
    case 'append':
      return await client.send(kind, id, 'PATCH', `${ROLES}/${schedule}`, appended(id));
  }
}
