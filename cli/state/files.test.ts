import { lstat, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { changeFiles, destination, kubeconfigFiles } from '../kubeconfig/files.ts';
import { readText, writeWhole } from './files.ts';

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'outrider-files-'))));
afterEach(() => rm(folder, { recursive: true }));
const { signal } = new AbortController();

describe('a file that is written', () => {
  test('is the owner’s alone where it is new, and keeps its mode where it is not', async () => {
    const path = join(folder, 'a');
    await writeWhole(path, 'one');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await writeFile(join(folder, 'b'), '', { mode: 0o640 });
    await writeWhole(join(folder, 'b'), 'two');
    expect((await stat(join(folder, 'b'))).mode & 0o777).toBe(0o640);
    expect((await readdir(folder)).toSorted()).toEqual(['a', 'b']);
  });

  test('through a symbolic link is the one that it leads to', async () => {
    await writeFile(join(folder, 'real'), 'old');
    await symlink('real', join(folder, 'link'));
    await writeWhole(join(folder, 'link'), 'new');
    expect((await lstat(join(folder, 'link'))).isSymbolicLink()).toBe(true);
    expect(await readFile(join(folder, 'real'), 'utf8')).toBe('new');
  });

  test('that cannot be leaves nothing beside it, and is named', async () => {
    await expect(writeWhole(join(folder, 'no', 'a'), 'x')).rejects.toThrow(/^cannot write .*no\/a: ENOENT/);
    await symlink('loop', join(folder, 'loop'));
    await expect(writeWhole(join(folder, 'loop'), 'x')).rejects.toThrow('ELOOP');
    expect(await readdir(folder)).toEqual(['loop']);
  });
});

test('a file that is read is UTF-8, or refused by name', async () => {
  await writeFile(join(folder, 'a'), Buffer.from([0x61, 0xff]));
  await expect(readText(join(folder, 'a'))).rejects.toThrow(/a is not UTF-8 text/);
  await expect(readText(folder)).rejects.toThrow(/^cannot read .*EISDIR/);
  expect(await readText(join(folder, 'none'))).toBeNull();
});

describe('kubeconfigs', () => {
  test('are those that kubectl would read', () => {
    expect(kubeconfigFiles({ HOME: '/home/ann' })).toEqual(['/home/ann/.kube/config']);
    expect(kubeconfigFiles({ HOME: '/home/ann', KUBECONFIG: 'a::b:a' })).toEqual(['a', 'b']);
    expect(kubeconfigFiles({ KUBECONFIG: 'a' }, 'mine')).toEqual(['mine']);
  });

  test('that change are kept as they were before, the owner’s alone; others are not written', async () => {
    const [a, b] = [join(folder, 'a'), join(folder, 'b')];
    await writeFile(a, 'old', { mode: 0o644 });
    await writeFile(b, 'same');
    await changeFiles(
      [b, a],
      signal,
      () =>
        new Map([
          [a, 'new'],
          [b, 'same'],
        ]),
    );
    expect(await readFile(a, 'utf8')).toBe('new');
    expect(await readFile(`${a}.outrider-backup`, 'utf8')).toBe('old');
    expect((await stat(`${a}.outrider-backup`)).mode & 0o777).toBe(0o600);
    expect((await readdir(folder)).toSorted()).toEqual(['a', 'a.outrider-backup', 'b']);
  });

  test('are changed one after another, in whatever order they are named', async () => {
    const [a, b] = [join(folder, 'a'), join(folder, 'b')];
    const append = (paths: readonly string[]): Promise<void> =>
      changeFiles(paths, signal, (files) => new Map(files.map(({ path, text }) => [path, `${text ?? ''}x`])));
    await Promise.all(Array.from({ length: 10 }, (_, at) => append(at % 2 === 0 ? [a, b] : [b, a])));
    expect(await readFile(a, 'utf8')).toBe('x'.repeat(10));
    expect(await readFile(b, 'utf8')).toBe('x'.repeat(10));
  });

  test('get what is new into the first that exists', () => {
    expect(
      destination([
        { path: 'a', text: null },
        { path: 'b', text: '' },
      ]),
    ).toBe('b');
  });
});
