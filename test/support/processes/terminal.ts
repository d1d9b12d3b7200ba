import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run, type RunOptions, Running } from './program.ts';

/** Rows and columns of a terminal. */
export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

/**
 * A program in a terminal of its own: script(1) makes the pseudo terminal and copies between it and its own standard input and
 * output, stty(1) gives it another size, upon which the kernel sends SIGWINCH. Both are on every Debian.
 */
export class Terminal extends Running {
  readonly #deviceFile: string;

  constructor(
    argv: readonly string[],
    { dir, rows, columns, ...options }: Omit<RunOptions, 'input'> & TerminalSize & { dir: string },
  ) {
    const deviceFile = join(dir, `terminal-${process.hrtime.bigint()}`);
    const command = argv.map(quoted).join(' ');
    const setUp = `stty rows ${rows} cols ${columns}; tty > ${quoted(deviceFile)}; exec ${command}`;
    super(['script', '--quiet', '--return', '--flush', '--command', setUp, '/dev/null'], options);
    this.#deviceFile = deviceFile;
  }

  /** Gives the terminal another size. */
  async resize({ rows, columns }: TerminalSize): Promise<void> {
    const device = (await readFile(this.#deviceFile, 'utf8')).trim();
    const { code, stderr } = await run(['stty', '-F', device, 'rows', String(rows), 'cols', String(columns)]);
    if (code !== 0) throw new Error(`stty: ${stderr}`);
  }
}

/** One word for a POSIX shell. */
function quoted(word: string): string {
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
