import { jsonLines, type Outcome, run, type RunOptions, Running } from './program.ts';
import { Terminal, type TerminalSize } from './terminal.ts';

/** What the tests run beside kubectl, on the same kubeconfig. */
export interface ClientTools {
  readonly kubectl: string;
  readonly helm: string;
  readonly clientGo: string;
}

/** Flags of the client-go program; several values repeat a flag. */
type Flags = Readonly<Record<string, string | number | true | readonly string[]>>;

/** Stock clients with one kubeconfig: kubectl, helm, and the program over client-go. */
export class Clients {
  readonly kubeconfig: string;
  readonly #tools: ClientTools;
  readonly #dir: string;

  /** @param dir an own folder, for caches and the files of terminals */
  constructor(tools: ClientTools, kubeconfig: string, dir: string) {
    this.#tools = tools;
    this.kubeconfig = kubeconfig;
    this.#dir = dir;
  }

  /** Runs kubectl to its end; resolves for every exit code. */
  async kubectl(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    return await run([this.#tools.kubectl, ...args], this.#with(options));
  }

  /** Runs kubectl, which has to succeed. @returns its standard output. */
  async ok(args: readonly string[], options: RunOptions = {}): Promise<string> {
    return stdoutOf('kubectl', args, await this.kubectl(args, options));
  }

  /** Runs kubectl, which has to succeed and print JSON. */
  async json<T>(args: readonly string[], options: RunOptions = {}): Promise<T> {
    return JSON.parse(await this.ok([...args, '-o', 'json'], options)) as T;
  }

  /** Applies objects. */
  async apply(...objects: readonly object[]): Promise<void> {
    const items = objects.length === 1 ? objects[0] : { apiVersion: 'v1', kind: 'List', items: objects };
    await this.ok(['apply', '-f', '-'], { input: JSON.stringify(items) });
  }

  /** Starts kubectl and leaves it running. */
  start(args: readonly string[]): Running {
    return new Running([this.#tools.kubectl, ...args], this.#with({}));
  }

  /** Starts kubectl in a terminal. */
  terminal(args: readonly string[], size: TerminalSize = { rows: 24, columns: 80 }): Terminal {
    return new Terminal([this.#tools.kubectl, ...args], { ...this.#with({}), ...size, dir: this.#dir });
  }

  /** Runs helm, which has to succeed. @returns its standard output. */
  async helm(args: readonly string[]): Promise<string> {
    return stdoutOf('helm', args, await run([this.#tools.helm, ...args], this.#with({})));
  }

  /** Starts the client-go program (`tools/clientgo`). */
  startClientGo(command: string, flags: Flags, args: string[] = []): Running {
    const flagWords = Object.entries(flags).flatMap(([name, value]) => [value].flat().map((one) => `--${name}=${one}`));
    const words = [command, `--kubeconfig=${this.kubeconfig}`, ...flagWords, '--', ...args];
    return new Running([this.#tools.clientGo, ...words], this.#with({}));
  }

  /** Runs the client-go program, which has to succeed. @returns its lines. */
  async clientGo(command: string, flags: Flags, args: string[] = []): Promise<unknown[]> {
    const outcome = await this.startClientGo(command, flags, args).exited;
    return jsonLines(stdoutOf('clientgo', [command, ...args], outcome));
  }

  #with(options: RunOptions): RunOptions {
    const own = { KUBECONFIG: this.kubeconfig, KUBECACHEDIR: `${this.#dir}/cache`, HOME: this.#dir };
    return { ...options, env: { ...own, ...options.env } };
  }
}

function stdoutOf(program: string, args: readonly string[], { stdout, stderr, code }: Outcome): string {
  if (code === 0) return stdout;
  throw new Error(`${program} ${args.join(' ')} exited with code ${code}: ${stderr}${stdout.slice(-500)}`);
}
