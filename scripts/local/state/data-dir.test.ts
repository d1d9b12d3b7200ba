import { chmod, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openDataDir, writeWhole } from './data-dir.ts';
import { loadSecrets } from './secrets.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'outrider-test-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const mode = async (path: string): Promise<number> => (await stat(path)).mode & 0o777;

describe('the data folder', () => {
  test('is made with its parents and parts, for its owner only', async () => {
    const dir = await openDataDir(join(folder, 'a', 'b'));
    dir.release();
    for (const path of [dir.root, dir.tls, dir.d1, dir.objects, dir.run, dir.logs])
      expect(await mode(path)).toBe(0o700);
  });

  test('a part that was opened to others is closed again', async () => {
    const first = await openDataDir(folder);
    first.release();
    await chmod(first.tls, 0o755);
    const second = await openDataDir(folder);
    second.release();
    expect(await mode(second.tls)).toBe(0o700);
  });

  test('a second user of the folder is refused and told who has it', async () => {
    const dir = await openDataDir(folder);
    await expect(openDataDir(folder)).rejects.toThrow(
      `another process (${process.pid}) is already running on ${folder}`,
    );
    dir.release();
    const next = await openDataDir(folder);
    next.release();
  });

  test('a lock file that a dead process left behind holds nobody up', async () => {
    await writeFile(join(folder, 'lock'), '');
    const dir = await openDataDir(folder);
    dir.release();
  });

  test('a file in its place is refused in one line', async () => {
    const path = join(folder, 'file');
    await writeFile(path, '');
    await expect(openDataDir(path)).rejects.toThrow(/^cannot write to the data folder .* --data-dir$/);
  });

  // Linux alone has such a folder; its mkdir answers ENOENT, on which Node's own recursive mkdir never ends.
  test.runIf(process.platform === 'linux')(
    'a place where no folder can be made is refused, not tried for ever',
    async () => {
      await expect(openDataDir('/proc/outrider/state')).rejects.toThrow('cannot write to the data folder');
    },
  );
});

describe('writing a file', () => {
  test('replaces the whole and leaves nothing else', async () => {
    const path = join(folder, 'file');
    await writeWhole(path, 'a longer first content');
    await writeWhole(path, 'second');
    expect(await readFile(path, 'utf8')).toBe('second');
    expect(await mode(path)).toBe(0o600);
    expect(await readdir(folder)).toEqual(['file']);
  });

  test('a failure names the file and leaves no part of it', async () => {
    const path = join(folder, 'missing', 'file');
    await expect(writeWhole(path, 'x')).rejects.toThrow(`cannot write ${path}`);
  });
});

describe('secrets', () => {
  test('are made once, for the owner only', async () => {
    const path = join(folder, 'secrets.json');
    const made = await loadSecrets(path);
    expect(await mode(path)).toBe(0o600);
    expect(await loadSecrets(path)).toEqual(made);
    expect(Buffer.from(made.clusterIdKey, 'base64url')).toHaveLength(32);
  });

  test('a file of an older version gains the keys that seal secrets, and loses nothing', async () => {
    const path = join(folder, 'secrets.json');
    const { secretsKeys: _new, ...older } = await loadSecrets(path);
    await writeFile(path, JSON.stringify(older));
    const gained = await loadSecrets(path);
    expect(gained).toMatchObject(older);
    expect(Buffer.from(gained.secretsKeys[0]?.key ?? '', 'base64url')).toHaveLength(32);
    expect(await loadSecrets(path)).toEqual(gained);
  });

  test.each(['', '{}', '{"signingKeys":[],"clusterIdKey":""}', 'top secret'])(
    'a damaged file (%j) is neither replaced nor repeated',
    async (content) => {
      const path = join(folder, 'secrets.json');
      await writeFile(path, content);
      await expect(loadSecrets(path)).rejects.toThrow(/is damaged: restore it/);
      await expect(loadSecrets(path)).rejects.not.toThrow(/top secret/);
      expect(await readFile(path, 'utf8')).toBe(content);
    },
  );
});
