import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { writeCliPackage } from '#scripts/cli/package.ts';
import { Scratch } from '../../support/processes/local.ts';
import { run } from '../../support/processes/program.ts';

/** The package as people get it, by npm and without a network: it depends on nothing. */
const scratch = new Scratch();
afterAll(async () => scratch.clear());

test('npm packs it, and npm install --global and npx run what was packed', async () => {
  const folder = await scratch.folder();
  const prefix = join(folder, 'prefix');
  const env = {
    HOME: folder,
    PATH: `${join(prefix, 'bin')}:${process.env['PATH'] ?? ''}`,
    npm_config_prefix: prefix,
    npm_config_cache: join(folder, 'cache'),
    npm_config_offline: 'true',
    npm_config_update_notifier: 'false',
  };
  await writeCliPackage(join(folder, 'package'));
  const packed = await run(['npm', 'pack', './package', '--json'], { env, cwd: folder });
  const [{ filename, files }] = JSON.parse(packed.stdout);
  expect(files.map(({ path }: { path: string }) => path).toSorted()).toEqual([
    'LICENSE',
    'README.md',
    'THIRD-PARTY-LICENSES.txt',
    'outrider.mjs',
    'package.json',
  ]);
  const archive = join(folder, filename);
  expect(await run(['npm', 'install', '--global', archive], { env, cwd: folder })).toMatchObject({ code: 0 });
  expect(await readdir(join(prefix, 'lib', 'node_modules'))).toEqual(['outrider']);
  const version = { code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) };
  expect(await run(['outrider', '--version'], { env, cwd: folder })).toMatchObject(version);
  expect(
    await run(['npx', '--yes', '--package', archive, 'outrider', '--version'], { env, cwd: folder }),
  ).toMatchObject(version);
});
