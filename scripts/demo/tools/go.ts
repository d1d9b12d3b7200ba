import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { diesWithParent } from '../../lib/tie.ts';
import { Problem } from '../../lib/problem.ts';
import { toolCache } from './cache.ts';
import { lock } from './lock.ts';
import { ensureGo } from './toolchain.ts';

/** Programs that are built from one Go module of this repository. */
export type GoTools = {
  /** Name of the set; with `version` it names the folder in the cache. */
  name: string;
  version: string;
  /** Folder of the `go.mod` that pins everything. */
  moduleDir: string;
  /** Import paths of the main packages; each becomes a program named like its last element that is not `v<n>`. */
  packages: readonly string[];
  /** Values set at link time, import path and variable name to value (`-X` of `go tool link`). */
  linkValues?: Readonly<Record<string, string>>;
  /** Go toolchain that builds them, such as `go1.27.3`, where the module asks for a newer one than the rest; Go itself fetches it as a module and verifies it. */
  toolchain?: string;
};

/** Where finished programs are. */
export type BuiltGoTools = { binDir: string };

/**
 * Builds the programs of `tools` unless the cache has them. Atomic (built aside, then renamed) and done by one process
 * at a time; a second one waits and finds the result. The cache key covers the module's own files, so that a changed
 * pin or source is rebuilt.
 *
 * @throws {Problem} when Go is missing or the build fails.
 */
export async function buildGoTools(tools: GoTools, log: (line: string) => void): Promise<BuiltGoTools> {
  const target = await goToolsDir(tools);
  const built = { binDir: join(target, 'bin') };
  if (existsSync(target)) return built;

  const held = await lock(`build ${target}`, () => log(`waiting for another process that builds ${tools.name}`));
  try {
    if (existsSync(target)) return built;
    const go = await ensureGo(log);
    await mkdir(toolCache(), { recursive: true });
    const aside = await mkdtemp(join(toolCache(), '.building-'));
    try {
      log(`building ${tools.name} ${tools.version} from its Go modules (once; kept in ${target})`);
      const started = Date.now();
      await goBuild(go, tools, join(aside, 'bin'));
      await rename(aside, target);
      log(`built ${tools.name} ${tools.version} in ${Math.round((Date.now() - started) / 1000)} s`);
    } finally {
      await rm(aside, { recursive: true, force: true });
    }
  } finally {
    await held.release();
  }
  return built;
}

/** True if {@link buildGoTools} would have nothing to build. */
export async function hasGoTools(tools: GoTools): Promise<boolean> {
  return existsSync(await goToolsDir(tools));
}

async function goToolsDir(tools: GoTools): Promise<string> {
  const hash = createHash('sha256');
  hash.update(JSON.stringify([process.arch, tools.packages, tools.linkValues ?? {}]));
  if (tools.toolchain !== undefined) hash.update(tools.toolchain);
  const entries = await readdir(tools.moduleDir, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  for (const file of files.toSorted()) hash.update(file.slice(tools.moduleDir.length)).update(await readFile(file));
  return join(toolCache(), `${tools.name}-${tools.version}-${hash.digest('hex').slice(0, 8)}`);
}

function goBuild(go: string, tools: GoTools, outDir: string): Promise<void> {
  const values = Object.entries(tools.linkValues ?? {}).map(([variable, value]) => `-X ${variable}=${value}`);
  const args = ['build', '-ldflags', ['-s', '-w', ...values].join(' '), '-o', `${outDir}/`, ...tools.packages];
  const env = {
    ...process.env,
    CGO_ENABLED: '0',
    // Of another Go, perhaps: each finds its own.
    GOROOT: undefined,
    GOFLAGS: '-trimpath -buildvcs=false -mod=readonly',
    GOTOOLCHAIN: tools.toolchain ?? 'local',
    GOWORK: 'off',
  };
  return new Promise((resolve, reject) => {
    const [program = go, ...rest] = diesWithParent([go, ...args], 'KILL');
    const child = spawn(program, rest, { cwd: tools.moduleDir, env, stdio: ['ignore', 'ignore', 'pipe'] });
    let tail = '';
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (tail = (tail + chunk).slice(-2000)));
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) return resolve();
      const reason = tail.trim().split('\n').slice(-3).join(' | ');
      reject(new Problem(`building ${tools.name} ${tools.version} failed: ${reason}`));
    });
  });
}
