import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { Problem, reasonOf } from '../../lib/problem.ts';
import { toolCache } from './cache.ts';
import { lock } from './lock.ts';

/** What the `go` lines of this repository's modules ask for. */
const LEAST: Version = [1, 26];

/** Fetched where the machine's Go is older. The checksum database (sum.golang.org) has the same sums; here they are pinned, as in a go.sum. */
const GO_VERSION = '1.26.8';
const SUMS: Readonly<Partial<Record<NodeJS.Architecture, { architecture: string; sum: string }>>> = {
  x64: { architecture: 'amd64', sum: 'h1:ZOmGe1OnfREDMIdb1Qi4G9JSuDPBLGExZMQ4nis1RXM=' },
  arm64: { architecture: 'arm64', sum: 'h1:sYL/O6MqS68ML0kjsQ36WoYIpJqkw60TxizWUYUKQMc=' },
};

/** Debian's Go of any age. It does no more than fetch the other: as a module, verified. */
const DEBIAN_PACKAGE = 'golang-go';

const FETCH_MS = 600_000;

type Version = readonly [major: number, minor: number];

/** What there is of Go on this machine. */
type Found = { program: string; isRecent: boolean } | undefined;

const downloadAnswer = z.object({ Dir: z.string(), Sum: z.string() });
const run = promisify(execFile);

/** Version in the output of `go version`, such as `go version go1.26.8 linux/amd64`. */
export function goVersionIn(output: string): Version | undefined {
  const [, major, minor] = /\bgo(\d+)\.(\d+)/.exec(output) ?? [];
  return major === undefined || minor === undefined ? undefined : [Number(major), Number(minor)];
}

/** Whether a version builds this repository's modules. */
export const isRecent = ([major, minor]: Version): boolean =>
  major > LEAST[0] || (major === LEAST[0] && minor >= LEAST[1]);

/**
 * What has to be put on this machine before anything can be built with Go: a toolchain, in words, and Debian packages by which it comes.
 *
 * @param canInstall whether Debian packages may be installed
 * @throws {Problem} when there is no Go and it may not be installed.
 */
export async function missingGo(
  canInstall: boolean,
  folders: readonly string[] = goFolders(),
): Promise<{ toolchain: string | undefined; packages: readonly string[] }> {
  const found = await findGo(folders);
  if (!found && !canInstall) throw new Problem(NO_GO);
  return {
    toolchain: found?.isRecent ? undefined : `Go ${GO_VERSION} (as a Go module)`,
    packages: found ? [] : [DEBIAN_PACKAGE],
  };
}

const NO_GO = `Go is needed and was not found: install Go ${LEAST.join('.')} or newer from https://go.dev/dl and run again`;

/**
 * Path of a Go that builds this repository's modules: the machine's own, or one that an older Go fetches, once, from the module proxy, where
 * every release is the module golang.org/toolchain (go.dev/doc/toolchain). Go 1.21 and later would do that by itself; Debian 12 has 1.19.
 *
 * @throws {Problem} when there is no Go at all, or the module cannot be had.
 */
export async function ensureGo(log: (line: string) => void, folders: readonly string[] = goFolders()): Promise<string> {
  const found = await findGo(folders);
  if (found?.isRecent) return found.program;
  if (!found) throw new Problem(NO_GO);
  const target = toolchainFolder();
  const held = await lock(`build ${target}`, () => log(`waiting for another process that fetches Go ${GO_VERSION}`));
  try {
    if (!existsSync(target)) await fetchToolchain(found.program, target, log);
  } finally {
    await held.release();
  }
  return join(target, 'bin', 'go');
}

const toolchainFolder = (): string => join(toolCache(), `go-${GO_VERSION}-${process.arch}`);

/** The official archive unpacks to /usr/local/go and leaves PATH to the person (go.dev/doc/install). */
const goFolders = (): string[] => [
  ...(process.env['PATH'] ?? '').split(delimiter),
  '/usr/local/go/bin',
  '/usr/bin',
  join(toolchainFolder(), 'bin'),
];

/** The first that is recent, else the first. */
async function findGo(folders: readonly string[]): Promise<Found> {
  let first: Found;
  for (const program of folders.map((folder) => join(folder, 'go')).filter((path) => existsSync(path))) {
    const answer = await run(program, ['version'], { env: { ...process.env, GOTOOLCHAIN: 'local' } }).catch(() => null);
    const version = goVersionIn(answer?.stdout ?? '');
    if (version === undefined) continue;
    if (isRecent(version)) return { program, isRecent: true };
    first ??= { program, isRecent: false };
  }
  return first;
}

async function fetchToolchain(go: string, target: string, log: (line: string) => void): Promise<void> {
  const pinned = SUMS[process.arch];
  if (!pinned) throw new Problem(`there is no Go ${GO_VERSION} for ${process.arch} here: install it and run again`);
  log(`fetching Go ${GO_VERSION} as a Go module (once; kept in ${target})`);
  await mkdir(toolCache(), { recursive: true });
  const aside = await mkdtemp(join(toolCache(), '.fetching-'));
  try {
    await writeFile(join(aside, 'go.mod'), 'module fetch\n');
    const folder = await download(go, aside, `v0.0.1-go${GO_VERSION}.linux-${pinned.architecture}`, pinned.sum);
    await completeToolchain(folder);
    await rename(folder, target);
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

/** @returns the folder that the module was unpacked to, below `aside`. */
async function download(go: string, aside: string, version: string, sum: string): Promise<string> {
  const env = {
    ...process.env,
    GOMODCACHE: join(aside, 'modules'),
    GOPATH: join(aside, 'path'),
    GO111MODULE: 'on',
    GOWORK: 'off',
    GOTOOLCHAIN: 'local',
    // Else nothing of it could be removed.
    GOFLAGS: '-modcacherw',
  };
  const args = ['mod', 'download', '-json', `golang.org/toolchain@${version}`];
  const { stdout } = await run(go, args, { cwd: aside, env, timeout: FETCH_MS }).catch((error: unknown) => {
    throw new Problem(`Go ${GO_VERSION} could not be fetched: ${reasonOf(error)}; install it and run again`);
  });
  const answer = downloadAnswer.parse(JSON.parse(stdout));
  if (answer.Sum !== sum) throw new Problem(`Go ${GO_VERSION} was fetched with the checksum ${answer.Sum}, not ${sum}`);
  return answer.Dir;
}

/** A module's archive has neither permissions nor other modules' go.mod: the go command makes good for both when it switches toolchains. */
async function completeToolchain(folder: string): Promise<void> {
  const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  const programs = [join(folder, 'bin'), join(folder, 'pkg', 'tool')];
  for (const { name, parentPath } of files) {
    const path = join(parentPath, name);
    if (name === '_go.mod') await rename(path, join(parentPath, 'go.mod'));
    else if (programs.some((parent) => path.startsWith(`${parent}/`))) await chmod(path, 0o755);
  }
}
