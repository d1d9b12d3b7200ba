import { randomBytes } from 'node:crypto';
import { open, readFile, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { Failure, codeOf, reasonOf } from '../exits.ts';

/** How often a held lock is looked at, ms. */
const LOOK_MS = 50;
/** Removing a file takes a moment; whoever took longer was killed, ms. */
const TAKEOVER_MS = 10_000;

/** How a lock is waited for. */
export interface LockOptions {
  /** No longer than this, ms: whoever waits may hold up a kubectl. */
  readonly waitMs: number;
  /** A lock older than this is a dead process's, ms; none: only one whose process is known to be dead. */
  readonly staleMs?: number;
  readonly signal: AbortSignal;
  /** Asked at each look; a value ends the wait without the lock. */
  readonly meanwhile?: () => Promise<boolean>;
}

/**
 * Holds `path` while `work` runs: a file that only one process can create (open(2), O_EXCL), as client-go locks kubeconfigs (`tools/clientcmd/config.go`, lockFile). It says who
 * holds it, so that the lock of a process that was killed is taken over.
 *
 * @returns undefined where `meanwhile` ended the wait
 * @throws {Failure} `timed-out` when it stays held.
 */
export async function withLock<T>(path: string, options: LockOptions, work: () => Promise<T>): Promise<T | undefined> {
  const deadline = performance.now() + options.waitMs;
  const own = `outrider ${process.pid} ${hostname()} ${randomBytes(8).toString('hex')}\n`;
  while (!(await create(path, own))) {
    if ((await options.meanwhile?.()) === true) return undefined;
    if (await takeIfStale(path, options.staleMs)) continue;
    if (performance.now() >= deadline) {
      throw new Failure(
        'timed-out',
        `${path} has been held for ${options.waitMs / 1000} s by ${await holder(path)}: if that process is gone, remove the file`,
      );
    }
    await pause(LOOK_MS, undefined, { signal: options.signal });
  }
  try {
    return await work();
  } finally {
    // Not one that another process has taken over meanwhile.
    if ((await readFile(path, 'utf8').catch(() => '')) === own) await rm(path, { force: true });
  }
}

async function create(path: string, own: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.writeFile(own);
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw new Failure('error', `cannot make the lock ${path}: ${reasonOf(error)}`, { cause: error });
  }
}

/** Removes a lock that nobody holds any more. @returns whether the lock is to be had now */
async function takeIfStale(path: string, staleMs: number | undefined): Promise<boolean> {
  const found = await judge(path, staleMs);
  if (found !== 'stale') return found === 'gone';
  // One at a time: of two that judge the same lock, the slower would remove what the faster has made in its place.
  const takeover = `${path}.takeover`;
  if (!(await create(takeover, ''))) {
    // Held for a moment, unless its process was killed in it.
    if ((await judge(takeover, TAKEOVER_MS)) === 'stale') await rm(takeover, { force: true });
    return false;
  }
  try {
    if ((await judge(path, staleMs)) === 'stale') await rm(path, { force: true });
  } finally {
    await rm(takeover, { force: true });
  }
  return true;
}

async function judge(path: string, staleMs: number | undefined): Promise<'held' | 'stale' | 'gone'> {
  try {
    const [{ mtimeMs }, text] = await Promise.all([stat(path), readFile(path, 'utf8')]);
    if (staleMs !== undefined && Date.now() - mtimeMs > staleMs) return 'stale';
    const { pid, host } = parse(text);
    return pid !== undefined && host === hostname() && !isAlive(pid) ? 'stale' : 'held';
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 'gone';
    throw new Failure('error', `cannot read the lock ${path}: ${reasonOf(error)}`, { cause: error });
  }
}

const parse = (text: string): { pid: number | undefined; host: string | undefined } => {
  const [, pid, host] = /^outrider (\d{1,10}) (\S{1,255}) [0-9a-f]{16}$/.exec(text.trim()) ?? [];
  return { pid: pid === undefined ? undefined : Number(pid), host };
};

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Somebody else's process lives all the same.
    return codeOf(error) === 'EPERM';
  }
}

async function holder(path: string): Promise<string> {
  const { pid, host } = parse(await readFile(path, 'utf8').catch(() => ''));
  return pid === undefined ? 'another program' : `process ${pid} on ${host}`;
}
