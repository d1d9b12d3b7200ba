import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ensureGo, goVersionIn, isRecent, missingGo } from './toolchain.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'outrider-test-'));
});
afterEach(async () => rm(dir, { recursive: true }));

/** A folder with a `go` that says its version. */
async function withGo(version: string): Promise<string> {
  const folder = join(dir, version);
  await mkdir(folder);
  await writeFile(join(folder, 'go'), `#!/bin/sh\necho go version go${version} linux/amd64\n`);
  await chmod(join(folder, 'go'), 0o755);
  return folder;
}

test('reads the version of releases, of release candidates and of builds that name more', () => {
  expect(goVersionIn('go version go1.26.8 linux/amd64')).toEqual([1, 26]);
  expect(goVersionIn('go version go1.27rc1 linux/amd64')).toEqual([1, 27]);
  expect(goVersionIn('go version devel go1.30-0f4bab2 X:nocoverageredesign')).toEqual([1, 30]);
  expect(goVersionIn('command not found')).toBeUndefined();
});

test('takes Go 1.26 and later as they are', () => {
  expect([isRecent([1, 19]), isRecent([1, 26]), isRecent([1, 30]), isRecent([2, 0])]).toEqual([
    false,
    true,
    true,
    true,
  ]);
});

test('uses the first Go that is recent, wherever an older one is', async () => {
  const folders = [await withGo('1.19.8'), await withGo('1.26.0'), await withGo('1.27.1')];
  expect(await ensureGo(() => {}, folders)).toBe(join(dir, '1.26.0', 'go'));
  expect(await missingGo(false, folders)).toEqual({ toolchain: undefined, packages: [] });
});

test('an old Go is enough to get a recent one, and none at all is a package of Debian', async () => {
  expect(await missingGo(false, [await withGo('1.19.8')])).toEqual({
    toolchain: expect.stringContaining('Go 1.26'),
    packages: [],
  });
  expect((await missingGo(true, [dir])).packages).toEqual(['golang-go']);
});

test('where Go is missing and no package may be installed, one line says what to do', async () => {
  await expect(missingGo(false, [dir])).rejects.toThrow(/install Go 1\.26 or newer/);
  await expect(ensureGo(() => {}, [dir])).rejects.toThrow(/install Go 1\.26 or newer/);
});
