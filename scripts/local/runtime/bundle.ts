import { builtinModules } from 'node:module';
import { buildSync, stop } from 'esbuild';
import { Problem, reasonOf } from '../problem.ts';

/**
 * Bundles the Worker into one ES module, with the conditions and loaders of wrangler's own bundler. Class names are kept: the runtime finds
 * objects by them.
 *
 * @returns the source text.
 */
export function bundleWorker(main: string): string {
  try {
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
  } finally {
    // esbuild keeps a process of 60 MiB for the next build. Nothing can be between a synchronous build and this.
    void stop();
  }
}
