import { mkdir, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { writeCliPackage } from '#scripts/cli/package.ts';
import { PROJECT } from '#scripts/lib/project.ts';
import type { Plane } from '#scripts/local/plane.ts';
import { setUpAdministrator } from '#scripts/local/setup.ts';
import type { Scratch } from './local.ts';
import { type Outcome, run, type RunOptions, Running } from './program.ts';
import { Terminal } from './terminal.ts';

/** Builds the CLI's package. @returns a folder for PATH, in which `outrider` is what npm would put there */
export async function installCli(folder: string): Promise<string> {
  const program = await writeCliPackage(join(folder, 'package'));
  const bin = join(folder, 'bin');
  await mkdir(bin, { recursive: true });
  await symlink(program, join(bin, 'outrider'));
  return bin;
}

/** The CLI as one person uses it, with a home folder of their own. */
export class Cli {
  readonly home: string;
  readonly #bin: string;
  readonly #env: Readonly<Record<string, string>>;

  constructor(bin: string, home: string, env: Readonly<Record<string, string>> = {}) {
    this.home = home;
    this.#bin = bin;
    this.#env = env;
  }

  get configFile(): string {
    return join(this.home, '.config', 'outrider', 'config.json');
  }

  /** What a program that runs the CLI, such as kubectl, is given. */
  get env(): Record<string, string> {
    const path = `${this.#bin}:${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`;
    return { HOME: this.home, PATH: path, ...this.#env };
  }

  /** Runs it to its end, whatever its exit code. */
  async run(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    return await run(['outrider', ...args], { input: '', ...options, env: { ...this.env, ...options.env } });
  }

  /** Runs it; it has to succeed. @returns its standard output */
  async ok(args: readonly string[], options: RunOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.run(args, options);
    if (code !== 0) throw new Error(`outrider ${args.join(' ')} exited with code ${code}: ${stderr}`);
    return stdout;
  }

  /** Runs it; it has to succeed and print JSON. */
  async json(args: readonly string[], options: RunOptions = {}): Promise<any> {
    return JSON.parse(await this.ok([...args, '-o', 'json'], options));
  }

  /** Starts it and leaves it running. */
  start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Running {
    return new Running(['outrider', ...args], { env: { ...this.env, ...env } });
  }

  /** Starts it in a terminal. */
  terminal(args: readonly string[], env: Readonly<Record<string, string>> = {}): Terminal {
    return new Terminal(['outrider', ...args], {
      env: { ...this.env, ...env },
      rows: 24,
      columns: 100,
      dir: this.home,
    });
  }
}

/** A plane with the CLI, its administrator signed in. `newcomer` knows where the plane is, and no more. */
export async function startSignedIn(
  scratch: Scratch,
): Promise<{ plane: Plane; admin: Cli; newcomer: (env?: Record<string, string>) => Promise<Cli> }> {
  const plane = await scratch.plane({ project: PROJECT });
  const bin = await installCli(await scratch.folder());
  const { password } = await setUpAdministrator(plane);
  const admin = new Cli(bin, await scratch.folder());
  const login = ['login', '--server', plane.url, '--ca-file', plane.caFile ?? '', '--username', 'admin'];
  await admin.ok(login, { input: `${password}\na password of my own\n` });
  const where = { OUTRIDER_SERVER: plane.url, OUTRIDER_CA_FILE: plane.caFile ?? '' };
  return { plane, admin, newcomer: async (env = {}) => new Cli(bin, await scratch.folder(), { ...where, ...env }) };
}
