import { PATHS, type Path } from '../paths.ts';
import { formatFigure } from './format.ts';
import type { RowResult } from './results.ts';

const NONE = '–';
const COLUMNS = ['row', 'unit', ...PATHS, 'out/direct', 'rd/direct', 'konn/direct', 'out/rd', 'verdict'] as const;

/** The table: figures, each path as a multiple of `direct`, Outrider as a multiple of remotedialer, and what the goals say. */
export function renderTable(results: readonly RowResult[]): string {
  const lines = results.map((result) => [
    result.row,
    result.unit,
    ...PATHS.map((path) => figure(result[path])),
    ratio(result, 'outrider', 'direct'),
    ratio(result, 'remotedialer', 'direct'),
    ratio(result, 'konnectivity', 'direct'),
    ratio(result, 'outrider', 'remotedialer'),
    verdict(result),
  ]);
  return align([[...COLUMNS], ...lines]);
}

const figure = (value: number | null): string => (value === null ? NONE : formatFigure(value));

function ratio(result: RowResult, path: Path, to: Path): string {
  const [value, base] = [result[path], result[to]];
  // A watch's event can come before the writer's answer: a multiple of less than nothing says nothing.
  return value === null || base === null || value <= 0 || base <= 0 ? NONE : formatFigure(value / base);
}

const verdict = ({ verdicts }: RowResult): string =>
  verdicts.map(({ met, text }) => `${met ? 'met' : 'MISSED'}: ${text}`).join('; ');

/** How many goals were met, and which were not. */
export function renderSummary(results: readonly RowResult[]): string {
  const all = results.flatMap(({ row, verdicts }) => verdicts.map((each) => ({ row, ...each })));
  const missed = all.filter(({ met }) => !met);
  const lines = [`${all.length - missed.length} of ${all.length} goals met`];
  return [...lines, ...missed.map(({ row, text }) => `missed: ${row}: ${text}`)].join('\n');
}

/** Columns as wide as their widest cell; texts left, figures right, the last as it is. */
function align(rows: readonly (readonly string[])[]): string {
  const widths = COLUMNS.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => {
          if (column === COLUMNS.length - 1) return cell;
          return column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0);
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
