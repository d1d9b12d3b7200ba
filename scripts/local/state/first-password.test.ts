import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { giveFirstPassword } from './first-password.ts';

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'outrider-test-'));
  file = join(folder, 'password');
});
afterEach(async () => rm(folder, { recursive: true }));

const answering = (created: boolean, passwordPending: boolean) => async () => ({ created, passwordPending });

test('it is on disk, for its owner alone, before the plane hears of it', async () => {
  const { password } = await giveFirstPassword(file, async (sent) => {
    expect(await readFile(file, 'utf8')).toBe(`${sent}\n`);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    return { created: true, passwordPending: true };
  });
  expect(password).toMatch(/^([a-z2-7]{5}-){3}[a-z2-7]{5}$/);
});

test('an answer that is lost loses nothing: the next call sends and returns the same password', async () => {
  let lost = '';
  const losing = async (sent: string): Promise<never> => {
    lost = sent;
    throw new Error('connection reset');
  };
  await expect(giveFirstPassword(file, losing)).rejects.toThrow('connection reset');
  const { password } = await giveFirstPassword(file, async (sent) => {
    expect(sent).toBe(lost);
    return { created: false, passwordPending: true };
  });
  expect(password).toBe(lost);
});

test('once it was changed it is forgotten here', async () => {
  await giveFirstPassword(file, answering(true, true));
  expect((await giveFirstPassword(file, answering(false, false))).password).toBeNull();
  expect(await readdir(folder)).toEqual([]);
});

test('one that was made up beside an administrator who has another is neither told nor kept', async () => {
  expect((await giveFirstPassword(file, answering(false, true))).password).toBeNull();
  expect(await readdir(folder)).toEqual([]);
});
