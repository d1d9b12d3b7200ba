import { cp, mkdtemp, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';

/** Copies the log files below a folder to one that stays: keys and tokens beside them are not for keeping. @returns where they are. */
export async function keepLogs(dir: string): Promise<string> {
  const kept = await mkdtemp(join(tmpdir(), 'outrider-bench-logs-'));
  await cp(dir, kept, {
    recursive: true,
    filter: async (source) => extname(source) === '.log' || (await stat(source)).isDirectory(),
  });
  return kept;
}
