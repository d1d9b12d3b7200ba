import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { toolCache } from '#scripts/demo/tools/cache.ts';
import { canInstallPackages, installPackages } from '#scripts/demo/tools/debian.ts';
import { lock } from '#scripts/demo/tools/lock.ts';
import { Problem, reasonOf } from '#scripts/lib/problem.ts';

const run = promisify(execFile);

/** Pins the tool and everything that it needs. */
const REQUIREMENTS = join(import.meta.dirname, 'schemathesis', 'requirements.txt');

/** Some 50 packages of a few hundred KiB; what takes longer hangs. */
const LONGEST_MS = 5 * 60_000;

/** Installs schemathesis, a fuzzer of OpenAPI documents, from PyPI into a virtual environment unless the cache has it. @returns the Python that has it */
export async function installSchemathesis(log: (line: string) => void): Promise<string> {
  const pins = await readFile(REQUIREMENTS);
  const target = join(toolCache(), `schemathesis-${createHash('sha256').update(pins).digest('hex').slice(0, 8)}`);
  // A virtual environment may be moved as long as its scripts, which name its first place, are not used.
  const python = join('bin', 'python3');
  if (existsSync(target)) return join(target, python);

  const held = await lock(`build ${target}`, () => log('waiting for another process that installs schemathesis'));
  try {
    if (existsSync(target)) return join(target, python);
    await ensureVenv(log);
    await mkdir(toolCache(), { recursive: true });
    const aside = await mkdtemp(join(toolCache(), '.building-'));
    try {
      log(`installing schemathesis from PyPI (once; kept in ${target})`);
      await run('python3', ['-m', 'venv', aside], { timeout: LONGEST_MS });
      const pip = ['-m', 'pip', 'install', '--quiet', '--no-input', '--disable-pip-version-check', '--no-deps'];
      await run(join(aside, python), [...pip, '--requirement', REQUIREMENTS], { timeout: LONGEST_MS });
      await rename(aside, target);
    } finally {
      await rm(aside, { recursive: true, force: true });
    }
  } catch (error) {
    if (error instanceof Problem) throw error;
    throw new Problem(`installing schemathesis failed: ${reasonOf(error).slice(-500)}`, { cause: error });
  } finally {
    await held.release();
  }
  return join(target, python);
}

/** Debian has Python without what makes virtual environments, and some machines have no Python. */
async function ensureVenv(log: (line: string) => void): Promise<void> {
  if (await canMakeVenv()) return;
  if (canInstallPackages()) await installPackages(['python3', 'python3-venv'], log);
  if (await canMakeVenv()) return;
  throw new Problem('python3 3.11 or later with venv is missing: install python3 and python3-venv and run again');
}

async function canMakeVenv(): Promise<boolean> {
  const probe = 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))';
  return run('python3', ['-c', probe]).then(
    () => true,
    () => false,
  );
}
