import { changes, isDuplicate } from '../../rows.ts';
import { unchanged, type Change, type Outcome, type Stored, type Writing } from './stored.ts';

/** The table of a kind. Its statements change the row that was seen (`?1`: its id, `?2`: the version of it), or none. */
export class Table {
  readonly #name: string;
  readonly #unique: string;

  /** @param unique the column that holds the resource's name */
  constructor(name: string, unique: string) {
    this.#name = name;
    this.#unique = unique;
  }

  /** Writes a change, and what is to be in the columns that are the kind's own. */
  update(
    db: D1Database,
    { before, finalizers, generation }: Change<unknown>,
    columns: Readonly<Record<string, string | number>>,
  ): D1PreparedStatement {
    const own = Object.keys(columns).map((column, index) => `${column} = ?${index + 5}, `);
    return db
      .prepare(
        `UPDATE ${this.#name} SET ${own.join('')}finalizers = ?3, generation = ?4, resource_version = resource_version + 1
         WHERE ${SEEN}`,
      )
      .bind(before.id, before.resourceVersion, JSON.stringify(finalizers), generation, ...Object.values(columns));
  }

  /** Begins the deletion of a resource. */
  retire({ db, now }: Writing, before: Stored): D1PreparedStatement {
    return db
      .prepare(
        `UPDATE ${this.#name} SET deleted_at = ?3, generation = generation + 1, resource_version = resource_version + 1
         WHERE ${SEEN}`,
      )
      .bind(before.id, before.resourceVersion, now);
  }

  remove(db: D1Database, before: Stored): D1PreparedStatement {
    return db.prepare(`DELETE FROM ${this.#name} WHERE ${SEEN}`).bind(before.id, before.resourceVersion);
  }

  /** Removes what hangs on a resource, from another table: its rows whose `column` says `value` (`?3`). Goes before the resource itself is changed. */
  removeWith(
    db: D1Database,
    before: Stored,
    { table, column, value }: { table: string; column: string; value: string },
  ): D1PreparedStatement {
    return db
      .prepare(`DELETE FROM ${table} WHERE ${column} = ?3 AND EXISTS (SELECT 1 FROM ${this.#name} WHERE ${SEEN})`)
      .bind(before.id, before.resourceVersion, value);
  }

  /** Runs such a statement, with what goes before and after it, as one transaction. */
  async write(
    { db, commit }: Writing,
    before: Stored,
    statement: D1PreparedStatement,
    around: { readonly first?: readonly D1PreparedStatement[]; readonly last?: readonly D1PreparedStatement[] } = {},
  ): Promise<Outcome> {
    const { first = [], last = [] } = around;
    const version = db.prepare(`SELECT resource_version FROM ${this.#name} WHERE id = ?1`).bind(before.id);
    try {
      const results = await commit([...first, statement, ...last, version]);
      return changes(results[first.length]) > 0 ? 'done' : unchanged(before, results.at(-1));
    } catch (error) {
      if (this.isTaken(error)) return 'taken';
      throw error;
    }
  }

  /** Whether a write failed because another resource has the name. */
  isTaken(error: unknown): boolean {
    return isDuplicate(error, `${this.#name}.${this.#unique}`);
  }
}

const SEEN = 'id = ?1 AND resource_version = ?2';
