/** Installs what the end-to-end tests need; `scripts/test/install.ts` forks it. Tells its parent in one line what is lacking. */
import { installClusterTools } from '#scripts/demo/install.ts';
import { IMPORT_PACKAGES, installPackages, missingPackages } from '#scripts/demo/tools/debian.ts';
import { installChromium } from '../browser/chromium.ts';
import { installClientGo } from './clientgo.ts';
import { installHelm } from './helm.ts';
import { installSamba } from './samba.ts';
import { installShells } from './shells.ts';
import { installSchemathesis } from './schemathesis.ts';

const log = (line: string): void => console.log(`[install] ${line}`);

// Nobody waits any more: a build that goes on would only take the machine's time.
process.once('disconnect', () => process.exit(1));

try {
  // Pods need root; without it the tests that need pods say so, and the rest runs.
  const root = process.getuid?.() === 0;
  await installClusterTools({ node: root, log });
  if (root) await installPackages(missingPackages(IMPORT_PACKAGES), log);
  if (root) await installShells(log);
  if (root) await installSamba(log);
  if (root) await installChromium(log);
  await installClientGo(log);
  await installHelm(log);
  await installSchemathesis(log);
} catch (error) {
  process.send?.(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}

// Who listens for the parent's end keeps the channel, and with it this process, for ever.
process.channel?.unref();
