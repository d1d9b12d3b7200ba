import { type DebianPackage, installPackages, missingPackages, programPath } from '#scripts/demo/tools/debian.ts';

const PROGRAMS = ['/usr/bin', '/usr/sbin'];

/** A domain controller; Debian has it in three packages. */
const PACKAGES: readonly DebianPackage[] = [
  { name: 'samba-ad-dc', file: 'samba', folders: PROGRAMS },
  { name: 'samba-ad-provision', file: 'ad-schema', folders: ['/usr/share/samba/setup'] },
  { name: 'winbind', file: 'winbindd', folders: PROGRAMS },
];

/** Installs Samba if the machine lacks it, which takes root. @returns paths of its programs. */
export async function installSamba(log: (line: string) => void): Promise<{ samba: string; sambaTool: string }> {
  await installPackages(missingPackages(PACKAGES), log);
  return { samba: programPath('samba'), sambaTool: programPath('samba-tool') };
}
