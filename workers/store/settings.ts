import * as z from 'zod';
import { DEFAULT_SETTINGS, Settings } from '#schema/api/plane/settings.ts';
import { all } from './rows.ts';

const Row = z.object({ name: z.string(), value: z.string().transform((text): unknown => JSON.parse(text)) });

/** The settings in force: the defaults, and what was set. What another deploy set and this one does not know is passed over. */
export async function readSettings(db: D1Database): Promise<Settings> {
  const rows = await all(db.prepare('SELECT name, value FROM settings'), Row);
  return Settings.parse({ ...DEFAULT_SETTINGS, ...Object.fromEntries(rows.map(({ name, value }) => [name, value])) });
}

/** Sets what is given, and leaves the rest. */
export async function writeSettings(db: D1Database, change: Readonly<Record<string, unknown>>): Promise<void> {
  const given = Object.entries(change).filter(([, value]) => value !== undefined);
  if (given.length === 0) return;
  await db.batch(
    given.map(([name, value]) =>
      db
        .prepare('INSERT INTO settings (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2')
        .bind(name, JSON.stringify(value)),
    ),
  );
}
