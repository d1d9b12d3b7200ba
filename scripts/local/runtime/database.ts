import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { codeOf, Problem, reasonOf } from '../../lib/problem.ts';
import { writeWhole } from '../state/data-dir.ts';
import { databaseConfig } from './workerd-config.ts';
import { startWorkerd } from './workerd.ts';
import type { WorkerdOptions } from './workerd.ts';

/** As `wrangler d1 migrations apply` records them, so that either finds what the other did. */
const RECORD = `CREATE TABLE IF NOT EXISTS d1_migrations (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT UNIQUE,
  applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL
)`;
/** A migration of the largest database that one object holds. */
const STATEMENT_MS = 120_000;

interface Statement {
  readonly sql: string;
  readonly params?: readonly string[];
}

const answerSchema = z.union([
  z.object({ success: z.literal(false), error: z.string() }),
  z.array(z.object({ results: z.array(z.record(z.string(), z.unknown())) })),
]);

export interface MigrateOptions {
  /** Folder of the databases. */
  readonly folder: string;
  readonly binding: string;
  /** Folder with `NNNN_name.sql`, applied in the order of their names. */
  readonly migrations: string;
  readonly log: WorkerdOptions['log'];
}

/**
 * Brings a database up to date before the plane serves: each migration once, in one transaction with its record.
 *
 * The databases are served for this alone, on a socket in a private folder, by a workerd of its own; the plane itself offers no way to SQL.
 *
 * @returns the names of those applied now.
 * @throws {Problem} when one fails; those before it stay.
 */
export async function migrate(options: MigrateOptions): Promise<readonly string[]> {
  const files = await migrationFiles(options.migrations);
  const folder = await mkdtemp(join(tmpdir(), 'outrider-'));
  try {
    const socket = join(folder, 'sql');
    const config = join(folder, 'workerd.capnp');
    await writeWhole(config, databaseConfig({ folder: options.folder, binding: options.binding, socket }));
    const workerd = await startWorkerd({ config, sockets: ['sql'], log: options.log });
    try {
      return await applyMissing(socket, options.migrations, files);
    } finally {
      await workerd.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function migrationFiles(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => name.endsWith('.sql')).toSorted();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw new Problem(`cannot read the migrations in ${folder}: ${reasonOf(error)}`, { cause: error });
  }
}

async function applyMissing(socket: string, folder: string, files: readonly string[]): Promise<string[]> {
  const [, rows] = await query(socket, [{ sql: RECORD }, { sql: 'SELECT name FROM d1_migrations' }]);
  const done = new Set(rows?.map((row) => row['name']));
  const missing = files.filter((name) => !done.has(name));
  for (const name of missing) {
    const sql = await readFile(join(folder, name), 'utf8');
    try {
      await query(socket, [{ sql }, { sql: 'INSERT INTO d1_migrations (name) VALUES (?)', params: [name] }]);
    } catch (error) {
      throw new Problem(`migration ${name} failed, nothing of it was kept: ${reasonOf(error)}`, { cause: error });
    }
  }
  return missing;
}

/** Runs statements in one transaction. @returns the rows of each. */
async function query(socket: string, statements: readonly Statement[]): Promise<Record<string, unknown>[][]> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const outgoing = request(
    { socketPath: socket, path: '/query', method: 'POST', timeout: STATEMENT_MS, headers: { host: 'd1' } },
    (response) => void text(response).then(resolve, reject),
  );
  outgoing.on('error', reject);
  outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer within ${STATEMENT_MS / 1000} s`)));
  outgoing.end(JSON.stringify(statements));
  const answer = answerSchema.parse(JSON.parse(await promise));
  if ('error' in answer) throw new Error(answer.error);
  return answer.map(({ results }) => results);
}
