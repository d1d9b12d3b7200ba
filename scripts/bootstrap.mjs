/**
 * Entry of every npm script: `node scripts/bootstrap.mjs <file.ts> [argument…]`.
 *
 * Runs on Node 18 or later, installs the npm packages when they differ from the lockfile, and runs the file under the pinned Node, which is one of
 * them. All it has to say goes to stderr, so that stdout belongs to the program alone.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
/** The pinned Node is a package for each platform, in the lockfile like every other. */
const runtime = `node_modules/node-${process.platform}-${process.arch}`;
const pinned = join(root, runtime, 'bin', 'node');
/** What TypeScript needs to be run as it is; where npm has no such package, as for macOS, the person's own must be that new. */
const NODE_MAJOR = 24;
/**
 * Programs that run another under a kernel's lock on a file, so that no crash leaves one behind: util-linux has the first, macOS the second. The
 * arguments are those that do not wait; either then exits with BUSY.
 */
const LOCKERS = [
  { path: '/usr/bin/flock', keep: [], refuse: ['--nonblock', '--conflict-exit-code', '75'] },
  { path: '/usr/bin/lockf', keep: ['-k'], refuse: ['-t', '0'] },
];
const BUSY = 75;
/** Given in place of a program: only install. */
const INSTALL = '--install';
/** Part of util-linux; macOS has no such thing. */
const SETPRIV = ['/usr/bin/setpriv', '/bin/setpriv'];
const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'];

/** @returns {never} */
function fail(/** @type {string} */ message, code = 1) {
  process.stderr.write(`outrider: ${message}\n`);
  process.exit(code);
}

/**
 * Whether node_modules holds what the lockfile lists. npm writes `.package-lock.json` last, so an install that was cut short is not taken for
 * a whole one. Optional packages may be absent: they belong to other platforms.
 */
function installed() {
  try {
    const read = (/** @type {string} */ path) => JSON.parse(readFileSync(join(root, path), 'utf8')).packages;
    const wanted = read('package-lock.json');
    const present = read('node_modules/.package-lock.json');
    return (
      (existsSync(pinned) || !(runtime in wanted)) &&
      Object.entries(wanted).every(([path, entry]) => {
        if (path === '') return true;
        const found = present[path];
        return found === undefined ? entry.optional === true : found.version === entry.version;
      })
    );
  } catch {
    return false;
  }
}

/** Installs, one process at a time: two that run npm in one folder damage it. */
function install() {
  const locker = LOCKERS.find(({ path }) => existsSync(path));
  if (!locker) return installNow();
  const command = [join(root, 'package.json'), process.execPath, fileURLToPath(import.meta.url), INSTALL];
  const locked = (/** @type {string[]} */ ...options) =>
    spawnSync(locker.path, [...locker.keep, ...options, ...command], { stdio: ['ignore', 2, 2] }).status;
  let status = locked(...locker.refuse);
  if (status === BUSY) {
    process.stderr.write('outrider: waiting for another process that installs the npm packages …\n');
    status = locked();
  }
  // What went wrong was said there.
  if (status !== 0) process.exit(status ?? 1);
}

function installNow() {
  if (installed()) return;
  process.stderr.write('outrider: installing npm packages into node_modules …\n');
  // Not `npm ci`: it refuses a lockfile in which the optional binaries of some platform are absent, as they are where a registry lacks them.
  // Versions and checksums still come from the lockfile, which --no-save leaves untouched.
  const arguments_ = ['install', '--no-save', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  const { error, status } = spawnSync('npm', arguments_, { cwd: root, stdio: ['ignore', 2, 2] });
  if (error && 'code' in error && error.code === 'ENOENT') {
    fail('npm is needed to install packages and was not found on PATH: install Node.js with npm, then try again');
  }
  if (error) fail(`npm could not be run: ${error.message}`);
  if (status !== 0) fail('npm could not install the packages: see its messages above, then try again');
  if (!installed())
    fail('npm finished, but node_modules does not match package-lock.json: remove node_modules and try again');
}

const [major = 0] = process.versions.node.split('.').map(Number);
if (major < 18)
  fail(`Node ${process.versions.node} is too old: install Node 18 or later (the rest is installed by itself)`);
if (process.argv.length < 3) fail('usage: node scripts/bootstrap.mjs <file.ts> [argument…]', 2);
if (process.argv[2] === INSTALL) {
  installNow();
  process.exit(0);
}
if (!installed()) install();
const node = existsSync(pinned) ? pinned : process.execPath;
if (node !== pinned && major < NODE_MAJOR) {
  fail(`npm has no Node ${NODE_MAJOR} for ${process.platform} ${process.arch}: install it, then try again`);
}

// Where this process is killed outright, the program is still asked to end: else it would go on unseen, with its port and folder.
const tie = SETPRIV.find((path) => existsSync(path));
const [command, ...before] = tie ? [tie, '--pdeathsig', 'TERM', node] : [node];
const child = spawn(command, [...before, ...process.argv.slice(2)], { stdio: 'inherit' });
for (const signal of FORWARDED) process.on(signal, () => child.kill(signal));
child.on('error', (error) => fail(`${node} could not be run: ${error.message}`));
child.on('exit', (code, signal) => {
  process.exit(code ?? 128 + constants.signals[signal ?? 'SIGKILL']);
});
