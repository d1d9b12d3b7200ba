import { build, type Metafile } from 'esbuild';
import { PROJECT } from './project.ts';

/** Modules of CommonJS packages ask for Node's own by `require`, which an ES module has to be given. */
const BANNER = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

/** A program in one file. */
export interface Bundle {
  readonly code: Uint8Array;
  /** What is in it, and from where. */
  readonly metafile: Metafile;
}

/**
 * A program that Node runs, as one ES module without what it does not use.
 *
 * @param entry its main file, from the checkout's root
 * @param target the oldest Node that runs it, such as `node20`
 */
export async function bundleProgram(entry: string, target: `node${number}`): Promise<Bundle> {
  const { metafile, outputFiles } = await build({
    absWorkingDir: PROJECT,
    entryPoints: [entry],
    bundle: true,
    write: false,
    metafile: true,
    format: 'esm',
    platform: 'node',
    target,
    // Less to parse and to keep resident. Names stay, so that a stack trace can be read; not by `keepNames`, which calls a function for each closure that is made: a sixth of a
    // small request's time in the agent.
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
