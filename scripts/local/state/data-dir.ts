import { randomBytes } from 'node:crypto';
import { chmod, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Problem, codeOf, reasonOf } from '../../lib/problem.ts';

/** Readable by the owner only: everything but the CA certificate. */
export const SECRET_MODE = 0o600;
export const PUBLIC_MODE = 0o644;
const FOLDER_MODE = 0o700;

/** Where one plane keeps its state; paths are absolute. */
export interface DataDir {
  readonly root: string;
  /** CA certificate in PEM: the one file here that is meant to be given away. */
  readonly caFile: string;
  readonly secretsFile: string;
  readonly firstPasswordFile: string;
  readonly tls: string;
  readonly d1: string;
  readonly objects: string;
  /** Audit events that have left the database. */
  readonly audit: string;
  /** What lives no longer than one run: generated configuration, the bundle, sockets. */
  readonly run: string;
  readonly logs: string;
  /** Lets another process have the folder; done twice, it does nothing. */
  release(): void;
}

/**
 * Makes the folder and its parts, and takes it for this process.
 *
 * @throws {Problem} when it cannot be written, or another process has it.
 */
export async function openDataDir(path: string): Promise<DataDir> {
  const root = resolve(path);
  const parts = {
    tls: join(root, 'tls'),
    d1: join(root, 'd1'),
    objects: join(root, 'objects'),
    audit: join(root, 'audit'),
    run: join(root, 'run'),
    logs: join(root, 'logs'),
  };
  try {
    for (const folder of [root, ...Object.values(parts)]) await makeFolder(folder);
    // A folder that a person made keeps its mode; what is inside is ours.
    for (const folder of Object.values(parts)) await chmod(folder, FOLDER_MODE);
  } catch (error) {
    throw new Problem(
      `cannot write to the data folder ${root} (${reasonOf(error)}): make it writable, or name another with --data-dir`,
      { cause: error },
    );
  }
  const release = await takeLock(root);
  return {
    root,
    caFile: join(root, 'ca.crt'),
    secretsFile: join(root, 'secrets.json'),
    firstPasswordFile: join(root, 'first-password'),
    ...parts,
    release,
  };
}

/** Not `mkdir`'s own `recursive`: that never ends where the system answers ENOENT below a folder that exists, as `/proc` does (Node 24). */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: FOLDER_MODE });
  } catch (error) {
    const code = codeOf(error);
    if (code === 'EEXIST' && (await stat(path)).isDirectory()) return;
    const parent = dirname(path);
    const parentIsThere = await stat(parent).then(
      () => true,
      () => false,
    );
    if (code !== 'ENOENT' || parentIsThere) throw error;
    await makeFolder(parent);
    await makeFolder(path);
  }
}

/**
 * The lock is SQLite's own exclusive lock on an empty database: the kernel holds it, and drops it however the process ends, so no lock is ever
 * stale and no process id is ever mistaken for another. The process id beside it serves the message only.
 */
async function takeLock(root: string): Promise<() => void> {
  const pidFile = join(root, 'run', 'pid');
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(join(root, 'lock'));
    lock.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    lock?.close();
    if (!/locked/.test(reasonOf(error))) {
      throw new Problem(
        `cannot lock the data folder ${root} (${reasonOf(error)}): it must be on a disk that is writable and not full`,
        { cause: error },
      );
    }
    const pid = await readFile(pidFile, 'utf8').catch(() => 'unknown');
    throw new Problem(
      `another process (${pid.trim()}) is already running on ${root}: stop it, or name another folder with --data-dir`,
      { cause: error },
    );
  }
  const held = lock;
  await writeWhole(pidFile, `${process.pid}\n`);
  return () => {
    if (held.isOpen) held.close();
  };
}

/** Writes a file so that a crash leaves the old content or the new, never a part. */
export async function writeWhole(
  path: string,
  content: string | Uint8Array,
  mode: number = SECRET_MODE,
): Promise<void> {
  const partial = `${path}.${randomBytes(4).toString('hex')}.partial`;
  try {
    const file = await open(partial, 'wx', mode);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(partial, path);
    const folder = await open(dirname(path), 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  } catch (error) {
    await rm(partial, { force: true });
    throw new Problem(`cannot write ${path}: ${reasonOf(error)}`, { cause: error });
  }
}

/** Content of a text file, or undefined when there is none. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new Problem(`cannot read ${path}: ${reasonOf(error)}`, { cause: error });
  }
}
