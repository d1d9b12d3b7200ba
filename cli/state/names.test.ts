import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Failure } from '../exits.ts';
import { forgetServer } from './cache.ts';
import { withMemory } from './names.ts';

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'outrider-names-'))));
afterEach(() => rm(folder, { recursive: true }));

const key = { origin: 'https://plane.example', token: 'secret', kind: 'clusters' };
const knows =
  (...names: string[]) =>
  async (): Promise<readonly string[]> =>
    names;
const fails = (exit: 'unreachable' | 'not-signed-in') => async (): Promise<readonly string[]> => {
  throw new Failure(exit, exit);
};

test('the names of now, and of a plane that is not reached those that it gave last', async () => {
  await expect(withMemory(folder, key, fails('unreachable'))).rejects.toThrow('unreachable');
  expect(await withMemory(folder, key, knows('a', 'b'))).toEqual(['a', 'b']);
  expect(await withMemory(folder, key, knows('b'))).toEqual(['b']);
  expect(await withMemory(folder, key, fails('unreachable'))).toEqual(['b']);
});

test.each([{ token: 'another' }, { origin: 'https://other.example' }, { kind: 'users' }])(
  'nobody is shown what was given to another: %o',
  async (other) => {
    await withMemory(folder, key, knows('a'));
    await expect(withMemory(folder, { ...key, ...other }, fails('unreachable'))).rejects.toThrow('unreachable');
  },
);

test('whom the plane refuses, and who signed out, is shown nothing', async () => {
  await withMemory(folder, key, knows('a'));
  // Tried without the look at why it failed: the names are given.
  await expect(withMemory(folder, key, fails('not-signed-in'))).rejects.toThrow('not-signed-in');
  await forgetServer(folder, key.origin);
  await expect(withMemory(folder, key, fails('unreachable'))).rejects.toThrow('unreachable');
});

test('they are kept for their owner alone, under a name that says nothing', async () => {
  await withMemory(folder, key, knows('a'));
  const name = (await readdir(folder, { recursive: true })).find((one) => one.endsWith('.json')) ?? '';
  expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600);
  expect(name).toMatch(/^names\/[0-9a-f]{32}\/[0-9a-f]{32}\.json$/);
});
