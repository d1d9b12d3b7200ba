import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { cleanEnvironment } from '#scripts/demo/processes.ts';
import { diesWithParent } from '#scripts/lib/tie.ts';
import type { z } from 'zod';

/** A program that was asked to end has nothing to finish. */
const END_WITHIN_MS = 3_000;
/** Far above what a start takes on a busy machine. */
const READY_WITHIN_MS = 30_000;
const QUOTED_BYTES = 1_000;

/**
 * A program of the bench, under way: answers on standard output, one JSON document a line; its log is in a file. It ends when its standard input is closed, and is
 * killed when this process dies.
 */
export class Program {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #lines: NodeJS.AsyncIterator<string>;
  readonly #logFile: string;

  private constructor(name: string, child: ChildProcess, logFile: string) {
    const { stdin, stdout } = child;
    if (stdin === null || stdout === null) throw new Error('a program without pipes');
    this.name = name;
    this.#child = child;
    this.#exited = once(child, 'exit');
    this.#lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
    this.#logFile = logFile;
    // It may end before it has read what it was told.
    stdin.on('error', () => undefined);
  }

  /**
   * Starts a program.
   * @param name also of its log file in `dir`
   * @param argv no secret may be among the arguments: every user of the machine sees them
   */
  static async start(name: string, argv: readonly string[], dir: string): Promise<Program> {
    const logFile = join(dir, `${name}.log`);
    const log = await open(logFile, 'w', 0o600);
    try {
      const [command = '', ...args] = diesWithParent(argv, 'KILL');
      // An own session: Ctrl-C in a terminal reaches the bench only, which ends its programs in order.
      const child = spawn(command, args, { env: cleanEnvironment(), detached: true, stdio: ['pipe', 'pipe', log.fd] });
      const program = new Program(name, child, logFile);
      await once(child, 'spawn');
      return program;
    } finally {
      await log.close();
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  send(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** The line that it prints when it is ready. */
  async ready<T>(shape: z.ZodType<T>): Promise<T> {
    return await this.answer(shape, READY_WITHIN_MS);
  }

  /**
   * Its next line, checked.
   * @throws Error when it ends first or the time is over; the line that is late would be taken for the next answer, so the program is of no use after that.
   */
  async answer<T>(shape: z.ZodType<T>, withinMs: number): Promise<T> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(new Error(`${withinMs / 1000} s passed`)), withinMs);
    try {
      const next = await Promise.race([this.#lines.next(), late.promise]);
      if (next.done === true) throw new Error('it ended');
      return shape.parse(JSON.parse(next.value));
    } catch (error) {
      const log = await readFile(this.#logFile, 'utf8').catch(() => '');
      const why = error instanceof Error ? error.message : String(error);
      throw new Error(`${this.name} gave no answer: ${why} ${log.slice(-QUOTED_BYTES).trim()}`.trim(), {
        cause: error,
      });
    } finally {
      clearTimeout(timer);
    }
  }

  /** Asks it to end, then ends it. Does no harm twice. */
  async stop(): Promise<void> {
    this.#child.stdin?.end();
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), END_WITHIN_MS);
    await this.#exited;
    clearTimeout(timer);
  }
}
