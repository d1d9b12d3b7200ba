import { execFile } from 'node:child_process';
import { builtinModules, createRequire } from 'node:module';
import { promisify } from 'node:util';
import { Problem, reasonOf } from '../../lib/problem.ts';

/** As wrangler's own bundler has them: what an import resolves to, and which files are text. */
const CONDITIONS = 'workerd,worker,browser';
const MAIN_FIELDS = 'workerd,worker,browser,module,main';
const TEXT_FILES = ['.txt', '.html', '.sql'];

const require = createRequire(import.meta.url);
const run = promisify(execFile);

/**
 * Bundles the Worker into one ES module. As `keep_names = false` in wrangler.toml has it: keeping every function's name calls another function for each closure that is made, and names are kept well enough
 * where nothing is minified. The runtime finds objects by what is exported.
 *
 * esbuild's program is run, not its library: that would keep a process of 60 MiB beside the plane, and to end it would break another's build.
 *
 * @param output file to write.
 */
export async function bundleWorker(main: string, output: string): Promise<void> {
  try {
    await run(require.resolve('esbuild/bin/esbuild'), [
      main,
      '--bundle',
      `--outfile=${output}`,
      '--format=esm',
      '--target=es2024',
      '--platform=neutral',
      `--main-fields=${MAIN_FIELDS}`,
      `--conditions=${CONDITIONS}`,
      ...['cloudflare:*', 'node:*', ...builtinModules].map((name) => `--external:${name}`),
      ...TEXT_FILES.map((extension) => `--loader:${extension}=text`),
      '--log-level=error',
      '--color=false',
    ]);
  } catch (error) {
    throw new Problem(`cannot bundle ${main}: ${stderrOf(error) || reasonOf(error)}`, { cause: error });
  }
}

const stderrOf = (error: unknown): string =>
  error instanceof Error && 'stderr' in error && typeof error.stderr === 'string' ? error.stderr : '';
