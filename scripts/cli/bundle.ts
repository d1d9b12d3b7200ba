import { build, type Metafile } from 'esbuild';
import { PROJECT } from '../lib/project.ts';

/** Modules of CommonJS packages ask for Node's own by `require`, which an ES module has to be given. */
const BANNER = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

/** The CLI as one ES module for Node 20 and later. */
export async function bundleCli(): Promise<{ code: Uint8Array; metafile: Metafile }> {
  const { metafile, outputFiles } = await build({
    absWorkingDir: PROJECT,
    entryPoints: ['cli/main.ts'],
    bundle: true,
    write: false,
    metafile: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    // kubectl starts it for each command: less to read and to parse. Names stay, so that a stack trace can be read.
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
