import { oneLine } from '../exits.ts';
import { paint, type Tone, width } from './safe.ts';

/** A cell: its text, and what its colour says. */
export type Cell = string | { readonly text: string; readonly tone: Tone };

const GAP = '   ';

/** Columns side by side, as kubectl prints them: a header in capitals, no lines, nothing behind the last. */
export function table(headers: readonly string[], rows: readonly (readonly Cell[])[], coloured: boolean): string {
  const lines = [headers, ...rows].map((row) =>
    row.map((cell) => oneLine(typeof cell === 'string' ? cell : cell.text)),
  );
  const widths = headers.map((_, at) => Math.max(...lines.map((line) => width(line[at] ?? ''))));
  const tones = [[], ...rows].map((row) => row.map((cell) => (typeof cell === 'string' ? undefined : cell.tone)));
  return lines
    .map((line, row) =>
      line
        .map((text, at) => {
          const tone = tones[row]?.[at];
          const shown = coloured && tone !== undefined ? paint(text, tone) : text;
          return at === line.length - 1 ? shown : shown + ' '.repeat((widths[at] ?? 0) - width(text));
        })
        .join(GAP)
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('');
}
