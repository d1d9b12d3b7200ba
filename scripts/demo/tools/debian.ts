import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Problem } from '../../lib/problem.ts';

/** Where programs and CNI plugins may be; the second is upstream's folder for plugins, the third Debian's. */
const FOLDERS = ['/usr/bin', '/usr/sbin', '/bin', '/sbin', '/usr/local/bin', '/usr/local/sbin'];
const CNI_FOLDERS = ['/opt/cni/bin', '/usr/lib/cni'];

/** A Debian package, and a file of it whose presence shows that it, or its like from another source, is there already. */
export interface DebianPackage {
  readonly name: string;
  readonly file: string;
  readonly folders: readonly string[];
}

/** What a node needs from the machine. */
const NODE_PACKAGES: readonly DebianPackage[] = [
  { name: 'containerd', file: 'containerd', folders: FOLDERS },
  { name: 'runc', file: 'runc', folders: FOLDERS },
  { name: 'containernetworking-plugins', file: 'ptp', folders: CNI_FOLDERS },
  { name: 'iptables', file: 'iptables', folders: FOLDERS },
  { name: 'conntrack', file: 'conntrack', folders: FOLDERS },
  { name: 'iproute2', file: 'ip', folders: FOLDERS },
  { name: 'ethtool', file: 'ethtool', folders: FOLDERS },
  { name: 'socat', file: 'socat', folders: FOLDERS },
  { name: 'busybox-static', file: 'busybox', folders: FOLDERS },
];

/** How long apt-get waits for another that has dpkg's lock, as unattended upgrades do, before it says so. */
const LOCK_SECONDS = 120;
/** Some 200 MiB at a slow mirror's pace; what takes longer hangs. */
const APT_MINUTES = 10;

/** What a person uses who imports a cluster by the printed command. */
export const IMPORT_PACKAGES: readonly DebianPackage[] = [{ name: 'curl', file: 'curl', folders: FOLDERS }];

/** Names of the packages that the machine lacks, of those that a node needs or of others. */
export function missingPackages(wanted: readonly DebianPackage[] = NODE_PACKAGES): string[] {
  return wanted.filter(({ file, folders }) => !find(file, folders)).map(({ name }) => name);
}

/** Whether {@link installPackages} has a chance. */
export const canInstallPackages = (): boolean => process.getuid?.() === 0 && find('apt-get', FOLDERS) !== undefined;

/** Path of a program of the machine. @throws {Problem} if it is not there. */
export function programPath(file: string): string {
  const path = find(file, FOLDERS);
  if (path) return path;
  throw new Problem(`${file} is missing: install the package that has it and run again`);
}

/** Folder of the CNI plugins. @throws {Problem} if there is none. */
export function cniPluginDir(): string {
  const folder = CNI_FOLDERS.find((candidate) => existsSync(join(candidate, 'ptp')));
  if (folder) return folder;
  throw new Problem('the CNI plugins are missing: install containernetworking-plugins and run again');
}

/**
 * Installs Debian packages with apt-get; does nothing for none.
 *
 * @throws {Problem} if this is no Debian, or apt-get fails.
 */
export async function installPackages(names: readonly string[], log: (line: string) => void): Promise<void> {
  if (names.length === 0) return;
  const list = names.join(' ');
  const apt = find('apt-get', FOLDERS);
  if (!apt) throw new Problem(`these are missing and there is no apt-get to install them: ${list}`);
  log(`installing Debian packages: ${list}`);
  await runApt(apt, ['update', '-qq']);
  await runApt(apt, [
    'install',
    '-y',
    '-qq',
    '-o',
    `DPkg::Lock::Timeout=${LOCK_SECONDS}`,
    '--no-install-recommends',
    ...names,
  ]);
}

function runApt(apt: string, args: readonly string[]): Promise<void> {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  return new Promise((resolve, reject) => {
    const child = spawn(apt, args, { env, stdio: ['ignore', 'ignore', 'pipe'], timeout: APT_MINUTES * 60_000 });
    let tail = '';
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (tail = (tail + chunk).slice(-1000)));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) return resolve();
      const late = signal === null ? '' : `no end within ${APT_MINUTES} minutes. `;
      const reason = late + tail.trim().split('\n').slice(-2).join(' | ');
      reject(new Problem(`apt-get ${args[0]} failed: ${reason}`));
    });
  });
}

function find(file: string, folders: readonly string[]): string | undefined {
  return folders.map((folder) => join(folder, file)).find((path) => existsSync(path));
}
