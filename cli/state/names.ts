import { join } from 'node:path';
import * as z from 'zod';
import { Failure } from '../exits.ts';
import { digest, namesFolder } from './cache.ts';
import { makeSecretFolder, readText, writeWhole } from './files.ts';

const Remembered = z.array(z.string().max(256)).max(100_000);

/** Whose names. */
interface NamesKey {
  readonly origin: string;
  /** Of the sign-in that asked: another person, or another sign-in, is not shown them. */
  readonly token: string;
  readonly kind: string;
}

/**
 * The names that `ask` finds. They are remembered, and given again while the plane cannot be reached.
 *
 * @throws what `ask` throws, where nothing is remembered
 */
export async function withMemory(
  cacheFolder: string,
  { origin, token, kind }: NamesKey,
  ask: () => Promise<readonly string[]>,
): Promise<readonly string[]> {
  const folder = namesFolder(cacheFolder, origin);
  const file = join(folder, `${digest(kind, token)}.json`);
  try {
    const names = await ask();
    await makeSecretFolder(folder);
    await writeWhole(file, `${JSON.stringify(names)}\n`);
    return names;
  } catch (error) {
    // A plane that refuses has been reached: what it gave before is not given again.
    if (!(error instanceof Failure) || error.exit !== 'unreachable') throw error;
    const text = await readText(file);
    if (text === null) throw error;
    return Remembered.parse(JSON.parse(text));
  }
}
