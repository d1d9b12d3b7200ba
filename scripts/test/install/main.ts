/** Installs what the end-to-end tests need; `install.ts` forks it. Tells its parent in one line what is lacking. */
import { installClusterTools } from '../../demo/install.ts';

// Pods need root; without it the tests that need pods say so, and the rest runs.
const node = process.getuid?.() === 0;

// Nobody waits any more: a build that goes on would only take the machine's time.
process.once('disconnect', () => process.exit(1));

try {
  await installClusterTools({ node, log: (line) => console.log(`[install] ${line}`) });
} catch (error) {
  process.send?.(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
