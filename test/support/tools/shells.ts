import { type DebianPackage, installPackages, missingPackages } from '#scripts/demo/tools/debian.ts';
import { reasonOf } from '#scripts/lib/problem.ts';

const FOLDERS = ['/usr/bin', '/bin', '/usr/local/bin'];

/** What people type `outrider` into beside bash, which is everywhere. */
const SHELLS: readonly DebianPackage[] = [
  { name: 'zsh', file: 'zsh', folders: FOLDERS },
  { name: 'fish', file: 'fish', folders: FOLDERS },
];

/** Installs the shells that the machine lacks. Without them what they complete is not tested, and the rest is. */
export async function installShells(log: (line: string) => void): Promise<void> {
  try {
    await installPackages(missingPackages(SHELLS), log);
  } catch (error) {
    log(`zsh or fish is missing, and its completion is not tested: ${reasonOf(error)}`);
  }
}
