import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { Agent, fetch } from 'undici';
import type { RequestInit, Response } from 'undici';
import { PROJECT } from '#scripts/lib/project.ts';
import { startPlane } from '#scripts/local/plane.ts';
import type { Plane, PlaneOptions } from '#scripts/local/plane.ts';

/** A small Worker with a database, objects, alarms and the API that the first steps call: `fixtures/plane`. */
export const FIXTURE = join(PROJECT, 'test', 'support', 'fixtures', 'plane');

/** Folders and planes of one test, undone after it. */
export class Scratch {
  readonly #undo: (() => Promise<unknown>)[] = [];

  defer(undo: () => Promise<unknown>): void {
    this.#undo.unshift(undo);
  }

  async folder(): Promise<string> {
    const path = await mkdtemp(join(tmpdir(), 'outrider-test-'));
    this.defer(async () => rm(path, { recursive: true, force: true }));
    return path;
  }

  /** A plane on a free port, with the fixture as its Worker and a new data folder unless told otherwise. */
  async plane(options: Partial<PlaneOptions> = {}): Promise<Plane> {
    const plane = await startPlane({ dataDir: await this.folder(), project: FIXTURE, ...options });
    this.defer(async () => plane.stop(true));
    return plane;
  }

  /** A checkout of its own: the scripts and packages of this one, with the fixture as its Worker. */
  async checkout(): Promise<string> {
    const path = await this.folder();
    // Copied, not linked: Node finds a linked program's own checkout, which is this one.
    for (const part of ['scripts', 'package.json', 'package-lock.json']) {
      await cp(join(PROJECT, part), join(path, part), { recursive: true });
    }
    await cp(FIXTURE, path, { recursive: true });
    for (const part of ['node_modules', 'schema', 'ldap', 'agent'])
      await symlink(join(PROJECT, part), join(path, part));
    return path;
  }

  async clear(): Promise<void> {
    for (const undo of this.#undo.splice(0)) await undo();
  }
}

/** A request to a plane by a client that trusts its CA alone. */
export async function reach(
  plane: { url: string; caPem: string },
  path: string,
  init: RequestInit = {},
): Promise<Response> {
  const dispatcher = new Agent({ connect: { ca: plane.caPem } });
  return fetch(new URL(path, plane.url), { dispatcher, ...init });
}

/** `npm start`, without npm. */
export class Command {
  readonly #child: ChildProcess;
  readonly #stderr: Promise<string>;
  readonly stdout: Promise<string>;
  /** Exit code; the signal that ended it otherwise. */
  readonly ended: Promise<number | string>;

  /** @param where a checkout; or that, and a program with its first arguments that runs the command given behind them */
  constructor(where: string | { checkout: string; under: readonly string[] }, ...arguments_: string[]) {
    const { checkout, under } = typeof where === 'string' ? { checkout: where, under: [] } : where;
    const [program = '', ...rest] = [
      ...under,
      ...[process.execPath, 'scripts/bootstrap.mjs', 'scripts/local/main.ts', ...arguments_],
    ];
    const child = spawn(program, rest, {
      cwd: checkout,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, INIT_CWD: checkout },
    });
    this.#child = child;
    this.stdout = text(child.stdout);
    this.#stderr = text(child.stderr);
    this.ended = once(child, 'exit').then(([code, signal]: (number | string)[]) => code ?? signal ?? 'unknown');
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Settles with what it wrote to stdout so far, once that includes a whole line; rejects if it ends first. */
  async firstLine(): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    let read = '';
    this.#child.stdout?.on('data', (chunk: Buffer) => {
      read += chunk.toString();
      if (read.includes('\n')) resolve(read);
    });
    void this.ended.then(async (code) => reject(new Error(`it ended (${code}): ${await this.#stderr}`)));
    return promise;
  }

  /** Lines that it wrote to stderr, once it has ended. */
  async complaints(): Promise<string[]> {
    return (await this.#stderr).split('\n').filter((line) => line !== '');
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }
}
