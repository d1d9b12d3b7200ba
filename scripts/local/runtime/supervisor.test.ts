import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Supervisor } from './supervisor.ts';
import type { Workerd } from './workerd.ts';

let folder: string;
let said: string[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'outrider-test-'));
  said = [];
});
afterEach(async () => rm(folder, { recursive: true }));

/** A workerd that runs until it is told to stop, or until `end` is called. */
function program(pid: number): Workerd & { end(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { pid, ports: new Map(), ended: promise, stop: async () => resolve(), end: resolve };
}

/** Starts what `outcomes` says, in turn: a program, or a failure. */
function supervise(outcomes: (Workerd | Error)[]) {
  const begin = vi.fn(async () => {
    const outcome = outcomes.shift();
    if (outcome === undefined || outcome instanceof Error) throw outcome ?? new Error('no more');
    return outcome;
  });
  const log = ({ message }: { message: string }): void => void said.push(message);
  const options = { config: '', sockets: [], log, pidFile: join(folder, 'pid') };
  return new Supervisor(options, begin);
}

test('what ends by itself is started again', async () => {
  const first = program(1);
  const supervisor = supervise([first, program(2)]);
  await supervisor.start();
  first.end();
  await vi.waitFor(() => expect(supervisor.pid).toBe(2));
  expect(said).toEqual(['workerd ended by itself; starting it again in 250 ms']);
  await supervisor.stop();
  expect(supervisor.pid).toBeUndefined();
});

test('a restart that fails is told, and tried again until it comes up', async () => {
  const supervisor = supervise([program(1), new Error('no memory'), new Error('still none'), program(2)]);
  await supervisor.start();
  await expect(supervisor.restart()).rejects.toThrow('no memory');
  await vi.waitFor(() => expect(supervisor.pid).toBe(2), 5000);
  expect(said).toEqual([
    'workerd did not start; starting it again in 250 ms',
    'still none',
    'workerd did not start; starting it again in 500 ms',
  ]);
  await supervisor.stop();
});

test('a stop ends the tries', async () => {
  const supervisor = supervise([program(1), new Error('no memory'), program(2)]);
  await supervisor.start();
  await expect(supervisor.restart()).rejects.toThrow('no memory');
  await supervisor.stop();
  expect(supervisor.pid).toBeUndefined();
});

test('a first start that fails is not tried again: the person reads why', async () => {
  const supervisor = supervise([new Error('no memory'), program(1)]);
  await expect(supervisor.start()).rejects.toThrow('no memory');
  await supervisor.stop();
  expect(said).toEqual([]);
});
