import { spawn } from 'node:child_process';
import { open, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { diesWithParent } from '../lib/tie.ts';

/** How often a condition that has no event to wait for is looked at. */
const POLL_MS = 50;

/** How much of a log an error message quotes. */
const QUOTED_LINES = 6;
const QUOTED_BYTES = 8 * 1024;

export type ProcessOptions = {
  /** Shown in messages. */
  name: string;
  /** Program and arguments. No secret may be among them: arguments are visible to every user of the machine. */
  argv: readonly string[];
  /** More environment than {@link cleanEnvironment}. */
  env?: Readonly<Record<string, string>>;
  /** Standard output and error go here; the file is begun anew. */
  logFile: string;
  /** Time between SIGTERM and SIGKILL; 0 for a program that has nothing to finish. */
  stopWithinMs?: number;
  /** Called if the process ends before {@link ManagedProcess.stop}. */
  onUnexpectedExit?: (message: string) => void;
};

/** A child process with a log file that does not outlive this process, however this process ends. */
export type ManagedProcess = {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  /** False once it has ended. */
  running(): boolean;
  /** Resolves when it has ended, with a description of how. */
  readonly exited: Promise<string>;
  /** SIGTERM, then SIGKILL after the bound; resolves when it has ended. Does no harm twice. */
  stop(): Promise<void>;
  /** Sends a signal, for fault tests. */
  kill(signal: NodeJS.Signals): void;
};

/** Starts a process. @throws if the program cannot be run. */
export async function startProcess(options: ProcessOptions): Promise<ManagedProcess> {
  const { name, logFile, stopWithinMs = 5_000 } = options;
  const log = await open(logFile, 'w', 0o600);
  const [program = '', ...args] = diesWithParent(options.argv, 'KILL');
  // An own session: Ctrl-C in a terminal reaches this process only, which then ends the others in order.
  const child = spawn(program, args, {
    env: { ...cleanEnvironment(), ...options.env },
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
  });
  // Listened for before anything is awaited: some programs end at once.
  const exited = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => resolve(signal ? `ended by ${signal}` : `exited with code ${code}`));
  });
  try {
    await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject));
  } finally {
    await log.close();
  }

  let stopping = false;
  const running = (): boolean => child.exitCode === null && child.signalCode === null;
  void exited.then(async (how) => {
    if (!stopping) options.onUnexpectedExit?.(`${name} ${how}: ${await lastLines(logFile)}`);
  });
  return {
    name,
    pid: child.pid ?? 0,
    logFile,
    running,
    exited,
    kill: (signal) => void child.kill(signal),
    stop: async () => {
      stopping = true;
      if (!running()) return;
      child.kill(stopWithinMs > 0 ? 'SIGTERM' : 'SIGKILL');
      const timer = setTimeout(() => child.kill('SIGKILL'), stopWithinMs);
      await exited;
      clearTimeout(timer);
    },
  };
}

/**
 * Waits until `probe` answers true. Polls, because what it asks of foreign programs has no event.
 *
 * @param by a process whose end makes waiting pointless.
 * @throws if the time is over or the process ends, with its last log lines.
 */
export async function waitUntil(
  what: string,
  probe: () => Promise<boolean>,
  options: { withinMs: number; by?: readonly ManagedProcess[] },
): Promise<void> {
  const { withinMs, by = [] } = options;
  const deadline = Date.now() + withinMs;
  for (;;) {
    if (await probe()) return;
    const ended = by.find((process) => !process.running());
    if (ended) throw new Error(`${ended.name} ${await ended.exited}: ${await lastLines(ended.logFile)}`);
    if (Date.now() > deadline) {
      const lines = await Promise.all(by.map(async ({ name, logFile }) => `${name}: ${await lastLines(logFile)}`));
      throw new Error(`${what} took more than ${withinMs / 1000} s. ${lines.join(' ')}`.trim());
    }
    await sleep(POLL_MS);
  }
}

/**
 * What every child gets as environment: no proxy variables, since all that these programs talk to is on this machine,
 * and nothing that a person may keep in their shell.
 */
export function cleanEnvironment(): Record<string, string> {
  const path = process.env['PATH'] ?? '/usr/bin:/bin';
  return { PATH: `${path}:/usr/local/sbin:/usr/sbin:/sbin`, LANG: 'C.UTF-8', HOME: process.env['HOME'] ?? '/' };
}

async function lastLines(file: string): Promise<string> {
  const text = await readFile(file).catch(() => Buffer.alloc(0));
  const lines = text.subarray(-QUOTED_BYTES).toString('utf8').trim().split('\n');
  return `${lines.slice(-QUOTED_LINES).join(' | ')} (${file})`;
}
