import { stringify } from 'yaml';
import { oneLine } from '../exits.ts';
import type { Io } from '../io.ts';
import type { Kind } from './kinds.ts';
import { isColoured } from './safe.ts';
import { table } from './table.ts';

/** The values of `--output`. */
export const FORMATS = ['table', 'wide', 'json', 'yaml', 'name'] as const;
export type Format = (typeof FORMATS)[number];

/** Shows a list: in JSON and YAML within the API's own envelope. */
export function showList<T>(io: Io, format: Format, kind: Kind<T>, items: readonly T[], now = Date.now()): void {
  if (format === 'json' || format === 'yaml') return structured(io, format, { items });
  if (format === 'name') return io.out(items.map((item) => `${oneLine(kind.name(item))}\n`).join(''));
  const columns = kind.columns.filter(({ wide }) => wide === undefined || format === 'wide');
  const rows = items.map((item) => columns.map(({ cell }) => cell(item, now)));
  io.out(
    table(
      columns.map(({ header }) => header),
      rows,
      isColoured(io),
    ),
  );
}

/** Shows one thing: in JSON and YAML as the API gives it. */
export function showOne<T>(io: Io, format: Format, kind: Kind<T>, item: T, now = Date.now()): void {
  if (format === 'json' || format === 'yaml') return structured(io, format, item);
  showList(io, format, kind, [item], now);
}

/** Shows what was asked for by name: one as one, several as a list. */
export function showFound<T>(io: Io, format: Format, kind: Kind<T>, items: readonly T[]): void {
  const [only] = items;
  if (items.length === 1 && only !== undefined) showOne(io, format, kind, only);
  else showList(io, format, kind, items);
}

/** Writes a value as JSON or YAML, where no control character stays as it is: in JSON escaped, in YAML replaced. */
function structured(io: Io, format: 'json' | 'yaml', value: unknown): void {
  if (format === 'yaml') return io.out(stringify(value, { lineWidth: 0 }).replaceAll(/(?!\n)\p{Cc}/gu, '�'));
  const escaped = (character: string): string => String.raw`\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  io.out(`${JSON.stringify(value, null, 2).replaceAll(/[\u007f-\u009f]/g, escaped)}\n`);
}
