import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { withLock } from './lock.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'outrider-lock-'));
  path = join(folder, 'lock');
});
afterEach(() => rm(folder, { recursive: true }));

const { signal } = new AbortController();
const options = { waitMs: 20_000, signal };
/** No system gives a process this id (Linux: 2^22 at most). */
const DEAD = 4_194_305;
const own = (pid: number, host = hostname()): string => `outrider ${pid} ${host} 0123456789abcdef\n`;

test('one at a time, and nothing is left', async () => {
  let inside = 0;
  let most = 0;
  let count = 0;
  const work = async (): Promise<void> => {
    most = Math.max(most, ++inside);
    const before = count;
    await readFile(path);
    count = before + 1;
    inside -= 1;
  };
  await Promise.all(Array.from({ length: 20 }, () => withLock(path, options, work)));
  expect({ most, count }).toEqual({ most: 1, count: 20 });
  expect(await readdir(folder)).toEqual([]);
});

test('what fails gives it back', async () => {
  await expect(withLock(path, options, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await withLock(path, options, () => Promise.resolve('yes'))).toBe('yes');
});

test('of a process that is dead it is taken over, by one of those that wait', async () => {
  await writeFile(path, own(DEAD));
  let inside = 0;
  let most = 0;
  const work = async (): Promise<void> => {
    most = Math.max(most, ++inside);
    await readFile(path);
    inside -= 1;
  };
  await Promise.all(Array.from({ length: 10 }, () => withLock(path, options, work)));
  expect(most).toBe(1);
  expect(await readdir(folder)).toEqual([]);
});

test('an old one is taken over where that was said, whoever holds it', async () => {
  await writeFile(path, own(process.pid));
  await utimes(path, 1, 1);
  expect(await withLock(path, { ...options, staleMs: 60_000 }, () => Promise.resolve(1))).toBe(1);
});

test.each([
  ['a process that lives', own(process.pid), `process ${process.pid} on ${hostname()}`],
  ['a process of another machine', own(DEAD, 'elsewhere'), `process ${DEAD} on elsewhere`],
  // kubectl writes nothing into its lock.
  ['kubectl', '', 'another program'],
])('of %s it is waited for, no longer than was said, and the file is named', async (_, text, holder) => {
  await writeFile(path, text);
  await expect(withLock(path, { waitMs: 0, signal }, () => Promise.resolve(1))).rejects.toMatchObject({
    exit: 'timed-out',
    message: expect.stringContaining(holder),
  });
  expect(await readFile(path, 'utf8')).toBe(text);
});

test('the wait ends early where what it was for is there', async () => {
  await writeFile(path, own(process.pid));
  const meanwhile = (): Promise<boolean> => Promise.resolve(true);
  expect(await withLock(path, { ...options, meanwhile }, () => Promise.resolve(1))).toBeUndefined();
});
