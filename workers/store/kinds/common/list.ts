import * as z from 'zod';
import type { ListRequest } from '#schema/resources/list.ts';
import type { Position } from '#schema/resources/continue.ts';

/** Where the rows of a list come from. All of it but `values` is SQL that is written in this folder. */
export interface ListSource<Row extends z.ZodType> {
  readonly from: string;
  readonly columns: string;
  readonly row: Row;
  /** The column that tells rows apart. */
  readonly id: string;
  /** The column of each field that can be filtered or sorted by; none of those sorted by is null. */
  readonly fields: Readonly<Record<string, string>>;
  /** What holds for every row, with a `?` for each of `values`. */
  readonly where?: { readonly condition: string; readonly values: readonly (string | number)[] };
}

/** A page of a list, and the place where the next one begins; null: there is none. */
export interface Page<T> {
  readonly items: T[];
  readonly next: Position | null;
}

const Place = z.object({ sort_key: z.union([z.string(), z.number()]), sort_id: z.string() });

/**
 * One page, by its place in the order and not by a count of rows (so none comes twice, or never, when others come and go meanwhile). Rows of equal value are told apart
 * by their id.
 */
export async function listPage<Row extends z.ZodType>(
  db: D1Database,
  source: ListSource<Row>,
  request: ListRequest,
): Promise<Page<z.output<Row>>> {
  const sort = columnOf(source, request.sort);
  const filters = Object.entries(request.filters);
  const conditions = [
    ...(source.where === undefined ? [] : [`(${source.where.condition})`]),
    ...filters.map(([field]) => `${columnOf(source, field)} = ?`),
    ...(request.after === null ? [] : [`(${sort}, ${source.id}) ${request.descending ? '<' : '>'} (?, ?)`]),
  ];
  const values = [
    ...(source.where?.values ?? []),
    ...filters.map(([, value]) => (typeof value === 'boolean' ? Number(value) : value)),
    ...(request.after === null ? [] : [request.after.value, request.after.id]),
    // One more than is shown tells whether there are more.
    request.limit + 1,
  ];
  const direction = request.descending ? 'DESC' : 'ASC';
  const { results } = await db
    .prepare(
      `SELECT ${source.columns}, ${sort} AS sort_key, ${source.id} AS sort_id FROM ${source.from}
       ${conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`}
       ORDER BY ${sort} ${direction}, ${source.id} ${direction} LIMIT ?`,
    )
    .bind(...values)
    .all();
  const shown = results.slice(0, request.limit);
  const last = results.length > request.limit ? Place.parse(shown.at(-1)) : null;
  return {
    items: z.array(source.row).parse(shown),
    next: last === null ? null : { value: last.sort_key, id: last.sort_id },
  };
}

/** A field that the schema lets through and no column answers is a fault of ours. */
function columnOf({ fields }: { fields: Readonly<Record<string, string>> }, field: string): string {
  const column = Object.hasOwn(fields, field) ? fields[field] : undefined;
  if (column === undefined) throw new Error(`no column is named for the field ${field}`);
  return column;
}
