import type { AuditEvent } from '#schema/audit/event.ts';
import { addEventIfChanged } from './audit.ts';
import { changes } from './rows.ts';

/** What is told of each change, and who hears that there was one. */
export interface Witness {
  /** As it is known at this moment. */
  event(): AuditEvent;
  changed(): void;
}

/** What only reads, in SQLite; everything else counts as a change where it changes a row. */
const READS = /^\s*SELECT\b/i;

/** The databases and statements behind those that are made here. */
const databases = new WeakMap<D1Database, D1Database>();
const written = new WeakMap<D1PreparedStatement, D1PreparedStatement>();

/** The statement as D1 knows it. */
const plain = (statement: D1PreparedStatement): D1PreparedStatement => written.get(statement) ?? statement;
export const plainStatements = (statements: readonly D1PreparedStatement[]): D1PreparedStatement[] =>
  statements.map(plain);

/**
 * For what the plane notes for itself, and nobody would call a change of it: attempts that are counted, questions that nobody has decided. Everything else that is written while a call
 * is in the audit log has its event in the same transaction, without anybody thinking of it.
 */
export const unwitnessed = (db: D1Database): D1Database => databases.get(db) ?? db;

/** A database in which each change, however it is made, has the call's event beside it in one transaction. Statements that change no row leave none. */
export function witnessed(db: D1Database, witness: Witness): D1Database {
  async function batch<T>(statements: D1PreparedStatement[]): Promise<D1Result<T>[]> {
    const event = statements.some((statement) => written.has(statement))
      ? addEventIfChanged(db, witness.event())
      : null;
    const all = statements.flatMap((statement) =>
      event !== null && written.has(statement) ? [plain(statement), event] : [statement],
    );
    const results = await db.batch<T>(all);
    // What belongs to the events is nobody's to read.
    const own = event === null ? results : results.filter((_, at) => all[at] !== event);
    if (statements.some((statement, at) => written.has(statement) && changes(own[at]) > 0)) witness.changed();
    return own;
  }

  function wrap(statement: D1PreparedStatement): D1PreparedStatement {
    const run = async <T>(): Promise<D1Result<T>> => {
      const [result] = await batch<T>([wrapped]);
      if (result === undefined) throw new Error('the database answered with less than it was asked');
      return result;
    };
    const wrapped: D1PreparedStatement = {
      bind: (...values) => wrap(statement.bind(...values)),
      run,
      all: run,
      async first(column?: string) {
        const [row] = (await run<Record<string, unknown>>()).results;
        if (row === undefined) return null;
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as D1's own, whose caller says what the rows are
        return (column === undefined ? row : row[column]) as never;
      },
      raw: refuse,
    };
    written.set(wrapped, statement);
    return wrapped;
  }

  const made: D1Database = {
    prepare: (sql) => (READS.test(sql) ? db.prepare(sql) : wrap(db.prepare(sql))),
    batch,
    exec: refuse,
    withSession: refuse,
    // oxlint-disable-next-line typescript/no-deprecated -- a D1Database has it
    dump: refuse,
  };
  databases.set(made, db);
  return made;
}

/** Ways to the database that nobody uses, and by which a change would come past its event. */
function refuse(): never {
  throw new Error('not in a call that is in the audit log');
}
