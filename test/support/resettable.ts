import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { PROJECT } from '#scripts/lib/project.ts';
import type { Plane } from '#scripts/local/plane.ts';
import { reach } from './processes/local.ts';

/** The Worker with a way to reset an object. */
const MAIN = join(PROJECT, 'test', 'workerd', 'support', 'resettable.ts');

/** A folder with the checkout's wrangler.toml, whose Worker can reset the object of a cluster: {@link deploy}. */
export async function resettableProject(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const manifest = await readFile(join(PROJECT, 'wrangler.toml'), 'utf8');
  const moved = manifest
    .replace('"workers/index.ts"', JSON.stringify(relative(folder, MAIN)))
    .replace('"migrations"', JSON.stringify(relative(folder, join(PROJECT, 'migrations'))));
  await writeFile(join(folder, 'wrangler.toml'), moved);
  return folder;
}

/** What a deploy of the Worker does to one cluster: its object is reset, its sockets break, what is under way in it fails. The Worker's own invocations go on. */
export async function deploy(plane: Plane, cluster: string): Promise<void> {
  const { status } = await reach(plane, `/test/reset/${cluster}`, { method: 'POST' });
  if (status !== 204) throw new Error(`the object was not reset: ${status}`);
}
