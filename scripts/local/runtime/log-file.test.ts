import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LogFile } from './log-file.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'outrider-log-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

test('lines are appended, over restarts too, for nobody else to read', async () => {
  const path = join(dir, 'a.log');
  new LogFile(path).append('one');
  const again = new LogFile(path);
  again.append('two');
  again.append('three');
  expect(await readFile(path, 'utf8')).toBe('one\ntwo\nthree\n');
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test('a full file is set aside, and two are kept', async () => {
  const path = join(dir, 'a.log');
  const log = new LogFile(path);
  const line = 'x'.repeat(1024 * 1024);
  for (let i = 0; i < 40; i++) log.append(line);
  log.append('last');
  expect((await stat(`${path}.1`)).size).toBeLessThan(18 * 1024 * 1024);
  expect((await stat(path)).size).toBeLessThan(18 * 1024 * 1024);
  expect((await readFile(path, 'utf8')).endsWith('last\n')).toBe(true);
});

test('a file that cannot be written loses lines, and nothing else', () => {
  expect(() => new LogFile(join(dir, 'missing', 'a.log')).append('one')).not.toThrow();
});
