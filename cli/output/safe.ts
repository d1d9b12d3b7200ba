import { type Io, variable } from '../io.ts';

/** What a value's colour says. */
export type Tone = 'good' | 'warn' | 'bad' | 'faint';

/** SGR codes of the sixteen colours, which every theme has. */
const CODES = { good: 32, warn: 33, bad: 31, faint: 2 } as const satisfies Record<Tone, number>;

/** Whether data is coloured: in a terminal that can, unless `NO_COLOR` (no-color.org) is set to anything. */
export function isColoured({ env, terminal }: Pick<Io, 'env' | 'terminal'>): boolean {
  return terminal.out && variable(env, 'NO_COLOR') === undefined && variable(env, 'TERM') !== 'dumb';
}

export const paint = (text: string, tone: Tone): string => `\u001b[${CODES[tone]}m${text}\u001b[0m`;

/** East Asian Wide and Fullwidth (Unicode UAX #11), the common blocks: each takes two columns. */
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;

/** Columns that a text takes in a terminal. */
export const width = (text: string): number =>
  Array.from(text).reduce((sum, character) => sum + (/\p{M}/u.test(character) ? 0 : WIDE.test(character) ? 2 : 1), 0);
