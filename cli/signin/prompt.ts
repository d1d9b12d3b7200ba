import { Failure } from '../exits.ts';
import type { Io } from '../io.ts';

/** A password or a token, and one more. */
const MAX_INPUT = 64 * 1024;

/** All of standard input, line by line. @throws {Failure} for more than anybody types */
export async function readLines(io: Io): Promise<string[]> {
  let text = '';
  const end = (): void => void io.stdin.destroy();
  io.signal.addEventListener('abort', end, { once: true });
  try {
    for await (const chunk of io.stdin as AsyncIterable<Buffer | string>) {
      text += chunk.toString();
      if (text.length > MAX_INPUT) throw new Failure('usage', `standard input is larger than ${MAX_INPUT} bytes`);
    }
  } finally {
    io.signal.removeEventListener('abort', end);
  }
  return text.split(/\r?\n/);
}

/** Asks in the terminal. @param hidden without echo, for a secret */
export async function question(io: Io, text: string, { hidden }: { hidden: boolean }): Promise<string> {
  const { stdin } = io;
  // Before it is asked: who types ahead is not shown either.
  if (hidden) stdin.setRawMode?.(true);
  try {
    io.ask(text);
    return await readTyped(io);
  } finally {
    if (hidden) {
      stdin.setRawMode?.(false);
      // The Enter that ended it was not shown either.
      io.ask('\n');
    }
    stdin.pause();
  }
}

/** Asks before something that cannot be undone. @throws {Failure} where the answer is no, or there is nobody to ask */
export async function confirm(io: Io, text: string, yes: boolean): Promise<void> {
  if (yes) return;
  if (!io.terminal.in) throw new Failure('usage', 'there is no terminal to ask in: say --yes if you mean it');
  const answer = await question(io, `${text} [y/N] `, { hidden: false });
  if (!/^y(es)?$/i.test(answer.trim())) throw new Failure('error', 'nothing was done');
}

/** What a terminal sends for keys, where it is raw: Ctrl-C, Ctrl-D, Ctrl-U, Backspace, Enter. */
const KEYS = {
  interrupt: '\u0003',
  end: '\u0004',
  kill: '\u0015',
  erase: ['\u007f', '\b'],
  enter: ['\r', '\n'],
} as const;

function readTyped({ stdin, signal }: Io): Promise<string> {
  return new Promise((resolve, reject) => {
    const typed: string[] = [];
    const done = (settle: () => void): void => {
      stdin.off('data', take);
      stdin.off('end', ended);
      signal.removeEventListener('abort', aborted);
      settle();
    };
    const aborted = (): void => done(() => reject(interrupted()));
    const ended = (): void => done(() => reject(new Failure('error', 'standard input has ended')));
    const take = (chunk: Buffer | string): void => {
      for (const key of chunk.toString()) {
        if (key === KEYS.interrupt) return aborted();
        if (key === KEYS.end && typed.length === 0) return ended();
        if (KEYS.enter.some((enter) => enter === key)) return done(() => resolve(typed.join('')));
        if (KEYS.erase.some((erase) => erase === key)) typed.pop();
        else if (key === KEYS.kill) typed.length = 0;
        else if (typed.length < MAX_INPUT) typed.push(key);
      }
    };
    stdin.on('data', take);
    stdin.on('end', ended);
    signal.addEventListener('abort', aborted, { once: true });
    if (signal.aborted) return aborted();
    stdin.resume();
  });
}

const interrupted = (): Failure => new Failure('interrupted', 'interrupted');
