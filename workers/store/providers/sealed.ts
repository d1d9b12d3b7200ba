import * as z from 'zod';
import { all, first } from '../rows.ts';

/** Every column that holds sealed texts: a new one is a row here, and in `workers/authn/providers/sealed.ts`. */
const COLUMNS = {
  provider: { table: 'providers', key: 'id', column: 'secrets' },
  principal: { table: 'user_principals', key: 'principal', column: 'refresh_grant' },
} as const;

export type SealedKind = keyof typeof COLUMNS;

/** A sealed text and the row that it is of. */
export interface SealedRow {
  readonly kind: SealedKind;
  readonly id: string;
  readonly sealed: string;
}

const KINDS: readonly SealedKind[] = ['provider', 'principal'];
const Row = z.object({ id: z.string(), sealed: z.string() });

/** SQL: a sealed text begins with the id of its key and a dot. */
const isOld = (column: string): string => `${column} IS NOT NULL AND substr(${column}, 1, length(?1) + 1) <> ?1 || '.'`;

/** Up to `limit` texts that another key than `keyId` sealed. */
export async function sealedByOtherKeys(db: D1Database, keyId: string, limit: number): Promise<SealedRow[]> {
  const rows: SealedRow[] = [];
  for (const kind of KINDS) {
    const { table, key, column } = COLUMNS[kind];
    const found = await all(
      db
        .prepare(
          `SELECT ${key} AS id, ${column} AS sealed FROM ${table} WHERE ${isOld(column)} ORDER BY ${key} LIMIT ?2`,
        )
        .bind(keyId, limit - rows.length),
      Row,
    );
    rows.push(...found.map((row) => ({ kind, ...row })));
  }
  return rows;
}

/** How many texts another key than `keyId` sealed. */
export async function countSealedByOtherKeys(db: D1Database, keyId: string): Promise<number> {
  const counts = KINDS.map(
    (kind) => `(SELECT count(*) FROM ${COLUMNS[kind].table} WHERE ${isOld(COLUMNS[kind].column)})`,
  );
  const row = await first(db.prepare(`SELECT ${counts.join(' + ')} AS n`).bind(keyId), z.object({ n: z.int() }));
  return row?.n ?? 0;
}

/** Puts a text that was sealed anew in place of the one that was read; where that was changed meanwhile, nothing. */
export async function replaceSealed(db: D1Database, { kind, id, sealed }: SealedRow, anew: string): Promise<void> {
  const { table, key, column } = COLUMNS[kind];
  await db
    .prepare(`UPDATE ${table} SET ${column} = ?3 WHERE ${key} = ?1 AND ${column} = ?2`)
    .bind(id, sealed, anew)
    .run();
}
