import * as z from 'zod';

/** SQLite has no booleans. */
export const Flag = z.union([z.literal(0), z.literal(1)]).transform((value) => value === 1);

/** The rows of a query, each decoded: another deploy may have written them. */
export async function all<T extends z.ZodType>(statement: D1PreparedStatement, row: T): Promise<z.output<T>[]> {
  const { results } = await statement.all();
  return z.array(row).parse(results);
}

/** The first row of a query, decoded; null: there is none. */
export async function first<T extends z.ZodType>(statement: D1PreparedStatement, row: T): Promise<z.output<T> | null> {
  const result = await statement.first();
  return result === null ? null : row.parse(result);
}

/** How many rows a statement of a batch changed. */
export function changes(result: D1Result | undefined): number {
  return result?.meta.changes ?? 0;
}

/** Whether a write failed because a row of that unique column is there already (SQLite: "UNIQUE constraint failed: table.column"). */
export function isDuplicate(error: unknown, column: `${string}.${string}`): boolean {
  return error instanceof Error && error.message.includes(`UNIQUE constraint failed: ${column}`);
}
