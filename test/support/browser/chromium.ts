import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { installPackages, missingPackages, programPath, type DebianPackage } from '#scripts/demo/tools/debian.ts';
import { run } from '../processes/program.ts';

const PROGRAMS = ['/usr/bin'];

/** The browser, and what puts a CA among those that it trusts. */
const PACKAGES: readonly DebianPackage[] = [
  { name: 'chromium', file: 'chromium', folders: PROGRAMS },
  { name: 'libnss3-tools', file: 'certutil', folders: PROGRAMS },
];

/** Nothing that reaches beyond this machine by itself, and nothing that a machine without a screen lacks. */
const FLAGS = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Installs Chromium if the machine lacks it, which takes root. */
export async function installChromium(log: (line: string) => void): Promise<void> {
  await installPackages(missingPackages(PACKAGES), log);
}

/** A browser of one person: cookies of their own, and what it complained of. */
export interface Visitor {
  readonly context: BrowserContext;
  readonly page: Page;
  /** Errors and warnings about a page, among them what its content security policy forbade. */
  readonly complaints: string[];
}

/**
 * Starts Chromium without a screen. It trusts these CAs and no other exception is made: names and dates of certificates count.
 * @param home an empty folder: Chromium reads the CAs from there
 * @param authorities certificates in PEM
 */
export async function startChromium(home: string, authorities: readonly string[]): Promise<Browser> {
  await installChromium(() => {});
  const database = join(home, '.pki', 'nssdb');
  await mkdir(database, { recursive: true });
  await certutil(database, '-N', '--empty-password');
  for (const [i, pem] of authorities.entries()) {
    const file = join(home, `authority-${i}.pem`);
    await writeFile(file, pem);
    await certutil(database, '-A', '-n', `authority-${i}`, '-t', 'C,,', '-i', file);
  }
  return await chromium.launch({
    executablePath: programPath('chromium'),
    args: FLAGS,
    // It refuses to be sandboxed as root.
    chromiumSandbox: process.getuid?.() !== 0,
    env: { PATH: process.env['PATH'] ?? '', HOME: home },
  });
}

async function certutil(database: string, ...args: string[]): Promise<void> {
  const { code, stderr } = await run([programPath('certutil'), '-d', `sql:${database}`, ...args]);
  if (code !== 0) throw new Error(`certutil ${args.join(' ')}: ${stderr}`);
}

/**
 * Someone with a window of their own.
 * @param origin whose pages are complained about; others' are not our concern
 * @param scripts what a page's policy forbids to its scripts is allowed, so that a test can run some in it
 */
export async function visit(browser: Browser, origin: string, { scripts = false } = {}): Promise<Visitor> {
  const context = await browser.newContext({ bypassCSP: scripts, viewport: { width: 800, height: 720 } });
  const complaints: string[] = [];
  context.on('console', (message) => {
    const isTrouble = message.type() === 'error' || message.type() === 'warning';
    const { url } = message.location();
    // Without an address it is about the page itself.
    if (isTrouble && (url === '' || url.startsWith(`${origin}/`))) complaints.push(message.text());
  });
  return { context, page: await context.newPage(), complaints };
}
