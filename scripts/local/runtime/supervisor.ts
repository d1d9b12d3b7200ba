import { readFile, rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { readIfThere, writeWhole } from '../state/data-dir.ts';
import { reasonOf } from '../../lib/problem.ts';
import { logEntry, startWorkerd } from './workerd.ts';
import type { Workerd, WorkerdOptions } from './workerd.ts';

/** First wait after workerd ended by itself; doubled each time. */
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 10_000;
/** Having run this long, an end counts as the first again. */
const STEADY_MS = 60_000;
/** How long to wait for a workerd that was left over to be gone. */
const ORPHAN_MS = 5000;

export interface SupervisorOptions extends WorkerdOptions {
  /** Where the process id is kept, so that one left over by a killed supervisor can be found. */
  readonly pidFile: string;
}

/** Keeps one workerd running: starts it again, with growing waits, whenever it ends by itself. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #begin: typeof startWorkerd;
  #workerd: Workerd | undefined;
  /** Aborted when this run is to end; a new one for every start. */
  #run = new AbortController();
  #loop: Promise<void> = Promise.resolve();

  /** @param begin starts one workerd; tests have another */
  constructor(options: SupervisorOptions, begin: typeof startWorkerd = startWorkerd) {
    this.#options = options;
    this.#begin = begin;
  }

  /** Process id of workerd while it runs. */
  get pid(): number | undefined {
    return this.#workerd?.pid;
  }

  /** Starts it. @throws {Problem} when it does not come up the first time. */
  async start(): Promise<void> {
    this.#run = new AbortController();
    await this.#launch();
    this.#loop = this.#keepUp(this.#run.signal);
  }

  /** Ends it, and keeps it down; a second call with `true` cuts the first short. */
  async stop(atOnce = false): Promise<void> {
    this.#run.abort();
    await this.#end(atOnce);
    await this.#loop;
    await rm(this.#options.pidFile, { force: true });
  }

  /** Ends it, and starts it again. @throws {Problem} when it does not come up at once; it is then tried again as after any other end. */
  async restart(): Promise<void> {
    await this.stop();
    this.#run = new AbortController();
    try {
      await this.#launch();
    } finally {
      this.#loop = this.#keepUp(this.#run.signal);
    }
  }

  async #end(atOnce = false): Promise<void> {
    await this.#workerd?.stop(atOnce);
  }

  async #launch(): Promise<void> {
    this.#workerd = await this.#begin(this.#options);
    await writeWhole(this.#options.pidFile, `${this.#workerd.pid}\n`);
  }

  async #keepUp(signal: AbortSignal): Promise<void> {
    let wait = FIRST_WAIT_MS;
    let startedAt = Date.now();
    for (;;) {
      const wasUp = this.#workerd !== undefined;
      await this.#workerd?.ended;
      this.#workerd = undefined;
      if (signal.aborted) return;
      if (Date.now() - startedAt > STEADY_MS) wait = FIRST_WAIT_MS;
      this.#say(`workerd ${wasUp ? 'ended by itself' : 'did not start'}; starting it again in ${wait} ms`);
      await delay(wait, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      wait = Math.min(wait * 2, LONGEST_WAIT_MS);
      startedAt = Date.now();
      await this.#launch().catch((error: unknown) => this.#say(reasonOf(error)));
      // A stop that came while it was starting found nothing to end.
      if (signal.aborted) await this.#end();
    }
  }

  #say(message: string): void {
    this.#options.log(logEntry('error', message));
  }
}

/**
 * Ends a workerd of this folder whose supervisor was killed: at once where the kernel does not see to it, as on macOS. It is recognised by its
 * command line, so a process id that has been given to another program is left alone.
 */
export async function endOrphan(pidFile: string, config: string): Promise<void> {
  const pid = Number(await readIfThere(pidFile));
  if (!Number.isSafeInteger(pid) || pid <= 1) return;
  const until = Date.now() + ORPHAN_MS;
  while (Date.now() < until && (await commandLine(pid)).includes(config)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      return;
    }
    await delay(20);
  }
}

async function commandLine(pid: number): Promise<string> {
  if (process.platform === 'linux') {
    return readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  }
  const { execFile } = await import('node:child_process');
  const { promise, resolve } = Promise.withResolvers<string>();
  execFile('ps', ['-o', 'args=', '-p', String(pid)], (_, output) => resolve(output));
  return promise;
}
