import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { MAX_FILE_BYTES, readOptionalFile, RotatedFile } from './files.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'outrider-files-'));
});
afterEach(() => rm(dir, { recursive: true }));

it('reads a rotated file again after a minute, and at once when asked to', async () => {
  const path = join(dir, 'token');
  let now = 0;
  const file = new RotatedFile(path, () => now);
  await writeFile(path, 'one\n');
  expect(await file.read()).toBe('one');
  await writeFile(path, 'two\n');
  now = 59_000;
  expect(await file.read()).toBe('one');
  now = 60_000;
  expect(await file.read()).toBe('two');
  await writeFile(path, 'three\n');
  expect(await file.readNow()).toBe('three');
});

it('refuses an empty one: a kubelet in the middle of its work', async () => {
  const path = join(dir, 'token');
  await writeFile(path, ' \n');
  await expect(new RotatedFile(path).read()).rejects.toThrow('is empty');
});

it('takes a missing optional file for an empty one, and nothing else', async () => {
  expect(await readOptionalFile(join(dir, 'none'))).toBe('');
  await expect(readOptionalFile(dir)).rejects.toThrow('EISDIR');
});

it('refuses one that is larger than any token or CA', async () => {
  const path = join(dir, 'large');
  await writeFile(path, 'x'.repeat(MAX_FILE_BYTES));
  expect(await new RotatedFile(path).read()).toHaveLength(MAX_FILE_BYTES);
  await writeFile(path, 'x'.repeat(MAX_FILE_BYTES + 1));
  await expect(new RotatedFile(path).read()).rejects.toThrow('is larger than');
});
