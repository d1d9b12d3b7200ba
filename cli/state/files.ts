import { randomBytes } from 'node:crypto';
import { chmod, chown, mkdir, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { Failure, codeOf, reasonOf } from '../exits.ts';

/** Read and write for the owner alone. */
const SECRET_MODE = 0o600;
const SECRET_FOLDER_MODE = 0o700;

/** A kubeconfig of thousands of clusters, each with its CA, is less than this. */
const MAX_FILE_BYTES = 32 * 1024 * 1024;

/**
 * A file's text, or null where there is none.
 *
 * @throws {Failure} where it cannot be read, is too large or is not UTF-8.
 */
export async function readText(path: string): Promise<string | null> {
  try {
    const { size } = await stat(path);
    if (size > MAX_FILE_BYTES) throw new Failure('error', `${path} is larger than ${MAX_FILE_BYTES} bytes`);
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(await readFile(path));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    if (error instanceof Failure) throw error;
    if (error instanceof TypeError) throw new Failure('error', `${path} is not UTF-8 text: repair or move it`);
    throw new Failure('error', `cannot read ${path}: ${reasonOf(error)}`, { cause: error });
  }
}

/** Makes a folder that its owner alone can enter, where there is none. */
export async function makeSecretFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: SECRET_FOLDER_MODE });
  } catch (error) {
    throw new Failure('error', `cannot make the folder ${path}: ${reasonOf(error)}`, { cause: error });
  }
}

/** Where a path leads when symbolic links are followed; itself where nothing is there yet. */
async function followed(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return resolve(path);
    throw new Failure('error', `cannot follow ${path}: ${reasonOf(error)}`, { cause: error });
  }
}

/**
 * Writes a file so that a crash leaves the old content or the new, never a part: a temporary file beside it, synced, renamed over it (POSIX rename(2)). A symbolic link
 * stays, and what it leads to is written. A file that is there keeps its mode and owner; a new one is readable for its owner alone.
 *
 * @throws {Failure} with the path and the reason.
 */
export async function writeWhole(path: string, text: string): Promise<void> {
  const target = await followed(path);
  const partial = `${target}.${randomBytes(4).toString('hex')}.partial`;
  try {
    const before = await stat(target).catch((error: unknown) => {
      if (codeOf(error) === 'ENOENT') return null;
      throw error;
    });
    const file = await open(partial, 'wx', SECRET_MODE);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    if (before !== null) {
      // Only the superuser can, and only they need it.
      await chown(partial, before.uid, before.gid).catch(() => {});
      await chmod(partial, before.mode & 0o777);
    }
    await rename(partial, target);
    await syncFolder(dirname(target));
  } catch (error) {
    await rm(partial, { force: true });
    throw new Failure('error', `cannot write ${path}: ${reasonOf(error)}`, { cause: error });
  }
}

/** Makes a rename last; Windows cannot open folders, and need not. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r').catch(() => null);
  try {
    await folder?.sync();
  } catch {
    // Some file systems cannot; the rename is whole all the same.
  } finally {
    await folder?.close();
  }
}
