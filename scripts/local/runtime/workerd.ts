import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { z } from 'zod';
import { Problem, reasonOf } from '../../lib/problem.ts';
import { diesWithParent } from '../../lib/tie.ts';
import { openListener } from './listener.ts';

/** Time for requests under way to end after SIGTERM, before SIGKILL. Nothing stored is lost by either. */
const DRAIN_MS = 3000;
/** A start takes some 100 ms; a machine that is busy gets this much. */
const READY_MS = 30_000;
/** How much of what a failing start wrote is worth repeating. */
const LAST_LINES = 5;

const require = createRequire(import.meta.url);

/** Path of the pinned workerd. @throws {Problem} when there is none for this platform. */
function workerdBinary(): string {
  if (process.platform !== 'linux' && process.platform !== 'darwin') {
    throw new Problem(`workerd's supervisor does not support ${process.platform}: use Linux or macOS`);
  }
  let path: string;
  try {
    // As the package `workerd` finds it: npm may keep another version of the binary elsewhere.
    path = createRequire(require.resolve('workerd/package.json')).resolve(
      `@cloudflare/workerd-${process.platform}-${process.arch === 'x64' ? '64' : process.arch}/bin/workerd`,
    );
  } catch (error) {
    throw new Problem(
      `workerd for ${process.platform} ${process.arch} is not installed: remove node_modules and start again`,
      { cause: error },
    );
  }
  if (!existsSync(path)) throw new Problem(`${path} is missing: remove node_modules and start again`);
  return path;
}

/** A line that workerd wrote with `structuredLogging`. */
const logLine = z.looseObject({ level: z.string(), message: z.string() });
const controlLine = z.object({ event: z.literal('listen'), socket: z.string(), port: z.number() });

/** One line of the log, or several that say nothing to a person. */
export interface LogEntry {
  /** The whole of it, as JSON. */
  readonly line: string;
  /** `error`, `warn`, `log`, … */
  readonly level: string;
  readonly message: string;
}

/** A running workerd. */
export interface Workerd {
  readonly pid: number;
  /** Ports by socket name; 0 for a Unix socket. */
  readonly ports: ReadonlyMap<string, number>;
  /** Settles when the process has ended. */
  readonly ended: Promise<void>;
  /** Lets requests end, then ends the process; a second call with `true` does not wait. */
  stop(atOnce?: boolean): Promise<void>;
}

export interface WorkerdOptions {
  readonly config: string;
  /** Names of the sockets that must listen before it counts as ready. */
  readonly sockets: readonly string[];
  /** The one of them that this process opens for it (`listener.ts`), and where. */
  readonly public?: { readonly socket: string; readonly host: string; readonly port: number };
  /** Called with every line that it writes, or with what it writes to stderr where {@link stdout} is set. */
  readonly log: (entry: LogEntry) => void;
  /** A file that its log goes to without this process in between, which takes as much of a processor as a tenth of what requests take. */
  readonly stdout?: number;
}

/**
 * Starts `workerd serve` and waits until it listens.
 *
 * It is tied to this process, so that it does not outlive a supervisor that was killed.
 *
 * @throws {Problem} when it ends or is silent before it listens.
 */
export async function startWorkerd(options: WorkerdOptions): Promise<Workerd> {
  const { public: open } = options;
  const inherit = open ? [`--socket-fd=${open.socket}=4`] : [];
  const serve = [workerdBinary(), 'serve', '--experimental', '--control-fd=3', ...inherit, options.config];
  const [command = '', ...rest] = diesWithParent(serve, 'KILL');
  const listener = open && (await openListener(open.host, open.port));
  // A group of its own: Ctrl-C in a terminal reaches every process of the supervisor's, and workerd would end at once.
  const child = spawn(command, rest, {
    stdio: ['ignore', options.stdout ?? 'pipe', 'pipe', 'pipe', ...(listener ? [listener.fd] : [])],
    env: environment(),
    detached: true,
  });
  listener?.close();
  const [, stdout, stderr, control] = child.stdio;
  if (!stderr || !(control instanceof Readable)) throw new Error('spawn made no pipes');
  const killWithUs = (): void => void child.kill('SIGKILL');
  process.once('exit', killWithUs);
  const ended = once(child, 'exit')
    .catch(() => undefined)
    .then(() => void process.removeListener('exit', killWithUs));
  const lastLines: string[] = [];
  for (const stream of [stdout, stderr]) {
    if (!stream) continue;
    onLines(stream, (text) => {
      for (const entry of readLines(text, stream === stderr)) {
        if (entry.level === 'error') lastLines.push(entry.message);
        if (lastLines.length > LAST_LINES) lastLines.shift();
        options.log(entry);
      }
    });
  }
  try {
    const ports = await listening(child, control, options.sockets, ended);
    return { pid: child.pid ?? 0, ports, ended, stop: (atOnce = false) => stop(child, ended, atOnce) };
  } catch (error) {
    await stop(child, ended, true);
    throw failure(error, lastLines);
  }
}

/**
 * glibc takes the thread's restartable sequences for itself, and workerd's allocator then falls back to caches by thread, with a twentieth more processor time for a request. tcmalloc asks
 * for this in its documentation (tcmalloc/docs/rseq.md).
 */
const TUNABLES = 'glibc.pthread.rseq=0';

/** workerd needs none of the environment: what it is given, a Worker's `process.env` may show. */
function environment(): NodeJS.ProcessEnv {
  const { PATH, TMPDIR, TZ, SSL_CERT_FILE, SSL_CERT_DIR } = process.env;
  return { PATH, TMPDIR, TZ, SSL_CERT_FILE, SSL_CERT_DIR, GLIBC_TUNABLES: TUNABLES };
}

/** Calls `take` with whole lines, as many as there are at once, without the last line's end. */
function onLines(stream: Readable, take: (text: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    rest += chunk;
    const end = rest.lastIndexOf('\n');
    if (end < 0) return;
    const text = rest.slice(0, end);
    rest = rest.slice(end + 1);
    take(text);
  });
  stream.on('end', () => {
    if (rest !== '') take(rest);
  });
}

/** Stands in a line that a person should hear of (inside the message itself quotes are escaped), or begins one that is not workerd's JSON. */
const FOR_A_PERSON = /"level":"(?:warn|error)"|^[^{]|\n[^{]/;

/** There is a line for each request: lines that say nothing to a person are not taken apart, and are one entry together. */
export function readLines(text: string, isStderr: boolean): LogEntry[] {
  if (!isStderr && !FOR_A_PERSON.test(text)) return [{ line: text, level: 'log', message: text }];
  return text.split('\n').map((line) => readLine(line, isStderr));
}

function readLine(line: string, isStderr: boolean): LogEntry {
  try {
    const { level, message } = logLine.parse(JSON.parse(line));
    return { line, level, message };
  } catch {
    const level = isStderr ? 'error' : 'log';
    return logEntry(level, line);
  }
}

/** An entry of the supervisor's own, in workerd's form. */
export function logEntry(level: 'error' | 'log', message: string): LogEntry {
  return { line: JSON.stringify({ timestamp: Date.now(), level, message }), level, message };
}

async function listening(
  child: ChildProcess,
  control: Readable,
  sockets: readonly string[],
  ended: Promise<void>,
): Promise<ReadonlyMap<string, number>> {
  const ports = new Map<string, number>();
  const { promise, resolve, reject } = Promise.withResolvers<ReadonlyMap<string, number>>();
  const late = setTimeout(() => reject(new Error(`it was not ready within ${READY_MS / 1000} s`)), READY_MS);
  child.once('error', reject);
  void ended.then(() => reject(new Error('it ended at once')));
  createInterface({ input: control }).on('line', (line) => {
    try {
      const { socket, port } = controlLine.parse(JSON.parse(line));
      ports.set(socket, port);
      if (sockets.every((name) => ports.has(name))) resolve(ports);
    } catch (error) {
      reject(error);
    }
  });
  return promise.finally(() => clearTimeout(late));
}

async function stop(child: ChildProcess, ended: Promise<void>, atOnce: boolean): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  child.kill(atOnce ? 'SIGKILL' : 'SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), DRAIN_MS);
  await ended.finally(() => clearTimeout(late));
}

function failure(error: unknown, lastLines: readonly string[]): Problem {
  const said = lastLines.join(' / ');
  return new Problem(`workerd did not start: ${reasonOf(error)}${said && `; it wrote: ${said}`}`, { cause: error });
}
