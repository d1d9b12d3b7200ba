import { closeSync, openSync, writeSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
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

test('a full file is set aside once it has been looked at, and two are kept', async () => {
  const path = join(dir, 'a.log');
  const log = new LogFile(path);
  const line = 'x'.repeat(1024 * 1024);
  for (let i = 0; i < 40; i++) {
    log.append(line);
    log.follow(() => undefined)();
  }
  log.append('last');
  expect((await stat(`${path}.1`)).size).toBeLessThan(18 * 1024 * 1024);
  expect((await stat(`${path}.1`)).mode & 0o777).toBe(0o600);
  expect((await stat(path)).size).toBeLessThan(18 * 1024 * 1024);
  expect((await readFile(path, 'utf8')).endsWith('last\n')).toBe(true);
});

test('what another process appends is heard of: whole lines, each once, from when it was opened', async () => {
  const path = join(dir, 'a.log');
  new LogFile(path).append('before');
  const heard: string[] = [];
  const log = new LogFile(path);
  const end = log.follow((lines) => heard.push(...lines.split('\n')));
  writeSync(log.descriptor, 'one\ntwo\nthr');
  await vi.waitFor(() => expect(heard).toEqual(['one', 'two']));
  writeSync(log.descriptor, 'ee\nfou');
  end();
  expect(heard).toEqual(['one', 'two', 'three']);
});

test('a line of any length is passed on, and so is what follows it', () => {
  const log = new LogFile(join(dir, 'a.log'));
  let heard = '';
  const end = log.follow((lines) => (heard += lines));
  log.append('x'.repeat(1024 * 1024));
  log.append('last');
  end();
  expect(heard.replaceAll('\n', '')).toBe(`${'x'.repeat(1024 * 1024)}last`);
});

test('another process’s lines go on to the file that is empty again', async () => {
  const path = join(dir, 'a.log');
  const log = new LogFile(path);
  const other = openSync(path, 'a');
  writeSync(other, `${'x'.repeat(17 * 1024 * 1024)}\n`);
  log.follow(() => undefined)();
  writeSync(other, 'after\n');
  closeSync(other);
  expect(await readFile(path, 'utf8')).toBe('after\n');
});

test.runIf(process.platform === 'linux')('a disk that is full loses lines, and nothing else', () => {
  expect(() => new LogFile('/dev/full').append('one')).not.toThrow();
});
