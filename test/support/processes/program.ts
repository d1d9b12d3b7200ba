import { type ChildProcess, spawn } from 'node:child_process';
import { cleanEnvironment } from '#scripts/demo/processes.ts';
import { diesWithParent } from '#scripts/lib/tie.ts';

/** What a program that has ended left behind. */
export interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  /** Exit code; 128 if a signal ended it. */
  readonly code: number;
}

/** How a program is run. */
export interface RunOptions {
  /** More environment; that of this process is not handed on but for PATH and HOME. */
  readonly env?: Readonly<Record<string, string>>;
  /** Standard input; without it there is none. */
  readonly input?: string | Uint8Array;
  readonly cwd?: string;
}

/** Shells say so, with the signal's number added. */
const ENDED_BY_SIGNAL = 128;
/** Waiting for something that a program should print; far above what a busy machine needs. */
const PRINTED_WITHIN_MS = 60_000;

/** A program under way. It is killed if this process ends. */
export class Running {
  readonly child: ChildProcess;
  readonly exited: Promise<Outcome>;
  #stdout = '';
  #stderr = '';
  #ended = false;
  readonly #look = new Set<() => void>();

  constructor(argv: readonly string[], { env = {}, cwd }: Omit<RunOptions, 'input'> = {}) {
    const [command = '', ...args] = diesWithParent(argv, 'KILL');
    this.child = spawn(command, args, { env: { ...cleanEnvironment(), ...env }, cwd, stdio: 'pipe' });
    this.child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      this.#stdout += chunk;
      for (const look of this.#look) look();
    });
    this.child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      this.#stderr += chunk;
      for (const look of this.#look) look();
    });
    // It may end before it has read all of its input.
    this.child.stdin?.on('error', () => {});
    this.exited = new Promise((resolve, reject) => {
      this.child.on('error', reject);
      this.child.on('close', (code) => {
        this.#ended = true;
        resolve({ stdout: this.#stdout, stderr: this.#stderr, code: code ?? ENDED_BY_SIGNAL });
        for (const look of this.#look) look();
      });
    });
    // Whoever only waits for output hears of it there.
    this.exited.catch(() => {});
  }

  /** What it has printed so far on standard output. */
  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Writes to its standard input. */
  type(text: string | Uint8Array): void {
    this.child.stdin?.write(text);
  }

  /**
   * Resolves with the match once standard output, or what of it comes after the `from`th character, matches.
   *
   * @throws if it ends before, or the time is over, with what it printed.
   */
  async printed(pattern: RegExp, from = 0): Promise<RegExpExecArray> {
    const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray>();
    const fail = (why: string): void =>
      reject(new Error(`${why} before it printed ${pattern}: ${JSON.stringify(this.#tail())}`));
    const look = (): void => {
      const match = pattern.exec(this.#stdout.slice(from));
      if (match) resolve(match);
      else if (this.#ended) fail('it ended');
    };
    const timer = setTimeout(() => fail(`${PRINTED_WITHIN_MS / 1000} s passed`), PRINTED_WITHIN_MS);
    this.#look.add(look);
    look();
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#look.delete(look);
    }
  }

  /** Resolves with the complete lines of standard output once there are `count`, parsed as JSON. */
  async lines(count: number): Promise<unknown[]> {
    await this.printed(new RegExp(`^(?:[^\n]*\n){${count}}`));
    return jsonLines(this.#stdout).slice(0, count);
  }

  /** Sends the signal and resolves when it has ended. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<Outcome> {
    this.child.kill(signal);
    return await this.exited;
  }

  #tail(): { stdout: string; stderr: string } {
    return { stdout: this.#stdout.slice(-1000), stderr: this.#stderr.slice(-1000) };
  }
}

/** Runs a program to its end. Resolves for every exit code. */
export async function run(argv: readonly string[], { input, ...options }: RunOptions = {}): Promise<Outcome> {
  const running = new Running(argv, options);
  running.child.stdin?.end(input);
  return await running.exited;
}

/** The complete lines of a text, each parsed as JSON. */
export function jsonLines(text: string): unknown[] {
  const lines = text.split('\n').slice(0, -1);
  return lines.map((line): unknown => JSON.parse(line));
}
