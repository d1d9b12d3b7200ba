import { bundleProgram, type Bundle } from '../lib/bundle.ts';

/** The CLI. People have the Node that they have, and kubectl starts it for each command. */
export const bundleCli = async (): Promise<Bundle> => await bundleProgram('cli/main.ts', 'node20');
