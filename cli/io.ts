import type { Readable } from 'node:stream';

/** What a command touches of its process, so that a test can give another. */
export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly platform: NodeJS.Platform;
  readonly stdin: Readable & { readonly isTTY?: boolean; setRawMode?: (raw: boolean) => unknown };
  /** Writes data; nothing else goes to stdout. */
  readonly out: (text: string) => void;
  /** Writes a line for people. */
  readonly say: (line: string) => void;
  /** Writes a part of a line for people: a question. */
  readonly ask: (text: string) => void;
  readonly terminal: { readonly in: boolean; readonly out: boolean; readonly err: boolean };
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

/** The io of this process. */
export function processIo(env: Io['env'], signal: AbortSignal): Io {
  return {
    env,
    platform: process.platform,
    stdin: process.stdin,
    out: (text) => void process.stdout.write(text),
    say: (line) => void process.stderr.write(`${line}\n`),
    ask: (text) => void process.stderr.write(text),
    terminal: {
      in: process.stdin.isTTY,
      out: process.stdout.isTTY,
      err: process.stderr.isTTY,
    },
    signal,
  };
}

/** A variable's value; an empty one counts as none, since CI systems set variables that have no value. */
export function variable(env: Io['env'], name: string): string | undefined {
  const value = env[name]?.trim();
  return value === '' ? undefined : value;
}
