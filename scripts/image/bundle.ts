import { bundleProgram, type Bundle } from '../lib/bundle.ts';

/** The agent, for the Node of its image. */
export const bundleAgent = async (): Promise<Bundle> => await bundleProgram('agent/main.ts', 'node24');
