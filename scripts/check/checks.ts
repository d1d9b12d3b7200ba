import { checkAgentBundle, checkCliBundle, checkWorkerBundle } from './bundles.ts';
import { runTool } from './process.ts';
import type { Finished } from './process.ts';
import { checkTexts } from './texts.ts';

/** How worker-configuration.d.ts is made; its first line holds the same, and `--check` compares. */
const TYPES = ['types', 'workers/worker-configuration.d.ts', '--include-runtime=false', '--strict-vars=false'];

/** All that `npm run check` asks, in the order in which it starts: the slow ones first. */
export const CHECKS: Readonly<Record<string, () => Promise<Finished>>> = {
  'types of bindings': () => runTool('wrangler', ...TYPES, '--check'),
  // Forced: tsc 7.0.2 takes an old verdict for a new one when only `lib` changed, and all of it takes seconds.
  types: () => runTool('tsc', '--build', '--force', '--pretty', 'false'),
  lint: () => runTool('oxlint', '--deny-warnings', '--type-aware'),
  'dead code': () => runTool('knip', '--no-progress'),
  'worker bundle': checkWorkerBundle,
  'agent bundle': checkAgentBundle,
  'cli bundle': checkCliBundle,
  format: () => runTool('oxfmt', '--check', '.'),
  texts: checkTexts,
};
