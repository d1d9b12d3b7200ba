import { builtinModules } from 'node:module';
import { buildSync } from 'esbuild';
import { Problem, reasonOf } from '../problem.ts';

/**
 * Bundles the Worker into one ES module, with the conditions and loaders of wrangler's own bundler. Class names are kept: the runtime finds
 * objects by them.
 *
 * @returns the source text.
 */
export function bundleWorker(main: string): string {
  try {
    // The asynchronous one leaves a process behind for as long as this one runs.
    const result = buildSync({
      entryPoints: [main],
      bundle: true,
      write: false,
      format: 'esm',
      target: 'es2024',
      platform: 'neutral',
      mainFields: ['workerd', 'worker', 'browser', 'module', 'main'],
      conditions: ['workerd', 'worker', 'browser'],
      external: ['cloudflare:*', 'node:*', ...builtinModules],
      loader: { '.txt': 'text', '.html': 'text', '.sql': 'text' },
      keepNames: true,
      logLevel: 'silent',
    });
    const [file] = result.outputFiles;
    if (!file) throw new Error('the bundler gave no file');
    return file.text;
  } catch (error) {
    throw new Problem(`cannot bundle ${main}: ${reasonOf(error)}`, { cause: error });
  }
}
