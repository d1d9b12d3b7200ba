import { dirname, delimiter, join } from 'node:path';
import { mkdir } from 'node:fs/promises';
import { Failure, reasonOf } from '../exits.ts';
import { type Io, variable } from '../io.ts';
import { readText, writeWhole } from '../state/files.ts';
import { withLock } from '../state/lock.ts';
import { home } from '../state/paths.ts';

/** kubectl holds its lock for milliseconds; several of ours may queue. */
const LOCK_WAIT_MS = 15_000;

/** The files that kubectl would read, in its order (client-go `tools/clientcmd/config.go`, PathOptions). */
export function kubeconfigFiles(env: Io['env'], explicit?: string): readonly [string, ...string[]] {
  if (explicit !== undefined) return [explicit];
  // Empty parts name nothing, and a file that is named twice is read once (`deduplicate`).
  const [first, ...rest] = new Set((variable(env, 'KUBECONFIG') ?? '').split(delimiter).filter((path) => path !== ''));
  return first === undefined ? [join(home(env), '.kube', 'config')] : [first, ...rest];
}

/** A kubeconfig as it is on disk; null: it is not there. */
export interface Loaded {
  readonly path: string;
  readonly text: string | null;
}

/** "When a value is created, it is created in the first file that exists. If no files in the chain exist, then it creates the last" (`kubectl config --help`). */
export function destination(files: readonly Loaded[]): string {
  const file = files.find(({ text }) => text !== null) ?? files.at(-1);
  if (file === undefined) throw new Error('no kubeconfig is named');
  return file.path;
}

/** Where the content before the last change is kept. */
const backupOf = (path: string): string => `${path}.outrider-backup`;

/**
 * Changes kubeconfigs while holding kubectl's own lock on each. What is not changed is not written; what is, is kept beside it as it was before.
 *
 * @param change makes the new texts by path, of the files that change
 * @throws {Failure} with the path, where one cannot be read, locked or written.
 */
export async function changeFiles(
  paths: readonly string[],
  signal: AbortSignal,
  change: (files: readonly Loaded[]) => ReadonlyMap<string, string>,
): Promise<void> {
  // In one order in every process, or two could wait for each other.
  const work = paths.toSorted().reduceRight<() => Promise<unknown>>(
    (inner, path) => async () => {
      await makeFolder(dirname(path));
      await withLock(`${path}.lock`, { waitMs: LOCK_WAIT_MS, signal }, inner);
    },
    async () => {
      const files = await Promise.all(paths.map(async (path) => ({ path, text: await readText(path) })));
      for (const [path, text] of change(files)) await write(files, path, text);
    },
  );
  await work();
}

async function write(files: readonly Loaded[], path: string, text: string): Promise<void> {
  const before = files.find((file) => file.path === path)?.text ?? null;
  if (before === text) return;
  if (before !== null) await writeWhole(backupOf(path), before);
  await writeWhole(path, text);
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (error) {
    throw new Failure('error', `cannot make the folder ${path}: ${reasonOf(error)}`, { cause: error });
  }
}
