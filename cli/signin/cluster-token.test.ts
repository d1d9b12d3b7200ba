import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Failure } from '../exits.ts';
import type { Io } from '../io.ts';
import { clusterToken } from './cluster-token.ts';

let home: string;
beforeEach(async () => void (home = await mkdtemp(join(tmpdir(), 'outrider-token-'))));
afterEach(() => rm(home, { recursive: true }));

/** A process's io, and when it begins to wait for another. */
function waiter(): { io: Io; waits: Promise<void> } {
  const { signal } = new AbortController();
  const listen = signal.addEventListener.bind(signal);
  let began = (): void => {};
  const waits = new Promise<void>((resolve) => {
    began = resolve;
  });
  Object.defineProperty(signal, 'addEventListener', {
    value: (...args: Parameters<typeof listen>) => {
      began();
      listen(...args);
    },
  });
  const io: Io = {
    env: { HOME: home },
    platform: 'linux',
    stdin: Readable.from([]),
    out: () => {},
    say: () => {},
    ask: () => {},
    terminal: { in: true, out: true, err: true },
    signal,
  };
  return { io, waits };
}

test('of several that ask at once, one asks the person; refused, the others do not ask again (teleport#22494)', async () => {
  const first = waiter();
  const others = [waiter(), waiter()];
  let asked = 0;
  const ask = async ({ io }: { io: Io }): Promise<unknown> =>
    clusterToken(io, {
      server: 'https://plane.example',
      cluster: undefined,
      signIn: async () => {
        asked += 1;
        started();
        await Promise.all(others.map(({ waits }) => waits));
        throw new Failure('not-permitted', 'refused');
      },
    });
  let started = (): void => {};
  const begun = new Promise<void>((resolve) => {
    started = resolve;
  });
  const answers = [ask(first)];
  await begun;
  answers.push(...others.map(ask));
  const exits = (await Promise.allSettled(answers)).map((one) => one.status === 'rejected' && one.reason.exit);
  // Tried without the memory of having waited: each of the three asks.
  expect({ exits, asked }).toEqual({ exits: ['not-permitted', 'not-signed-in', 'not-signed-in'], asked: 1 });
});

test('a token of the environment is given as it is, and nothing is asked or kept', async () => {
  const { io } = waiter();
  const env = { ...io.env, OUTRIDER_TOKEN: 'abc', OUTRIDER_SERVER: 'plane.example' };
  const cluster = 'c-gaaaaaaaaaaaaaaaaaa';
  expect(await clusterToken({ ...io, env }, { cluster, signIn: undefined })).toEqual({
    token: 'abc',
    expiresAt: undefined,
  });
});
