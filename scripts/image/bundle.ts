import { build, type Metafile } from 'esbuild';
import { PROJECT } from '../lib/project.ts';

/** Modules of CommonJS packages ask for Node's own by `require`, which an ES module has to be given. */
const BANNER = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

/** The agent as one ES module for Node 24, without what it does not use. */
export async function bundleAgent(): Promise<{ code: Uint8Array; metafile: Metafile }> {
  const { metafile, outputFiles } = await build({
    absWorkingDir: PROJECT,
    entryPoints: ['agent/main.ts'],
    bundle: true,
    write: false,
    metafile: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    // Less to parse and to keep resident. Names stay, so that a stack trace can be read; not by `keepNames`, which calls a function for each closure that is made: a sixth of a
    // small request's time.
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'none',
    banner: { js: BANNER },
    logLevel: 'silent',
  });
  const [output] = outputFiles;
  if (output === undefined) throw new Error('esbuild wrote nothing');
  return { code: output.contents, metafile };
}
