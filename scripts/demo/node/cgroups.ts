import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const MOUNT = '/sys/fs/cgroup';

/** Processes that were just killed stay in their group until the kernel has finished with them. */
const EMPTY_WITHIN_MS = 10_000;
const POLL_MS = 50;

/**
 * Makes the control group under which a kubelet keeps its pods, in every hierarchy, after removing what a crashed run
 * left there. Two kubelets that shared a root would remove each other's pods.
 */
export async function createCgroup(name: string): Promise<void> {
  await removeCgroup(name);
  const version2 = existsSync(join(MOUNT, 'cgroup.controllers'));
  if (version2) await delegateControllers();
  for (const hierarchy of await hierarchies()) await mkdir(join(hierarchy, name), { recursive: true });
}

/** Removes the control group and all below it. Its processes must have been killed. */
export async function removeCgroup(name: string): Promise<void> {
  for (const hierarchy of await hierarchies()) {
    const path = join(hierarchy, name);
    if (existsSync(path)) await removeTree(path);
  }
}

/** On cgroup v2 there is one hierarchy; on v1 one folder for each controller, some of them links to another. */
async function hierarchies(): Promise<string[]> {
  if (existsSync(join(MOUNT, 'cgroup.controllers'))) return [MOUNT];
  const entries = await readdir(MOUNT, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map((entry) => join(MOUNT, entry.name));
}

/** Groups below the root get only the controllers that the root hands down (cgroups(7), cgroup.subtree_control). */
async function delegateControllers(): Promise<void> {
  const controllers = (await readFile(join(MOUNT, 'cgroup.controllers'), 'utf8')).trim().split(' ');
  for (const controller of controllers) {
    // Refused for one that is in use elsewhere; kubelet itself says which it cannot do without.
    await writeFile(join(MOUNT, 'cgroup.subtree_control'), `+${controller}`).catch(() => {});
  }
}

async function removeTree(path: string): Promise<void> {
  for (const entry of await readdir(path, { withFileTypes: true })) {
    if (entry.isDirectory()) await removeTree(join(path, entry.name));
  }
  const deadline = Date.now() + EMPTY_WITHIN_MS;
  for (;;) {
    try {
      return await rmdir(path);
    } catch (error) {
      if (!isBusy(error) || Date.now() > deadline) throw error;
    }
    await sleep(POLL_MS);
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EBUSY';
}
