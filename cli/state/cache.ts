import { createHash } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { codeOf } from '../exits.ts';
import { makeSecretFolder, readText, writeWhole } from './files.ts';
import { MAX_TOKEN } from './servers.ts';

const CachedToken = z.object({
  token: z.string().min(1).max(MAX_TOKEN),
  tokenId: z.string().max(64),
  expiresAt: z.iso.datetime(),
});
/** A token that the exec plugin made for one cluster. */
export type CachedToken = z.infer<typeof CachedToken>;

/** Whose token, for what. */
export interface CacheKey {
  readonly origin: string;
  readonly cluster: string;
  /** Of the sign-in that made it: what another person, or another sign-in, left behind is never taken (rancher#46997). */
  readonly signInToken: string;
}

/** The name of a file for what must not stand in a name. */
export const digest = (...parts: string[]): string =>
  createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);

const folderOf = (cacheFolder: string, origin: string): string => join(cacheFolder, 'tokens', digest(origin));

/** The file of a cached token; its folder is there afterwards. */
export async function cacheFile(cacheFolder: string, { origin, cluster, signInToken }: CacheKey): Promise<string> {
  const folder = folderOf(cacheFolder, origin);
  await makeSecretFolder(folder);
  return join(folder, `${digest(cluster, signInToken)}.json`);
}

/** What is cached, or null: also for a file that is damaged, since it can be made anew. */
export async function readCached(file: string): Promise<CachedToken | null> {
  try {
    const text = await readText(file);
    return text === null ? null : CachedToken.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

export async function writeCached(file: string, token: CachedToken): Promise<void> {
  await writeWhole(file, `${JSON.stringify(token)}\n`);
}

/** Where the names that a server gave for completion are remembered. */
export const namesFolder = (cacheFolder: string, origin: string): string => join(cacheFolder, 'names', digest(origin));

/** Forgets all that is cached of a server. @returns the ids of the tokens that were there */
export async function forgetServer(cacheFolder: string, origin: string): Promise<string[]> {
  await rm(namesFolder(cacheFolder, origin), { recursive: true, force: true });
  return await forgetCached(cacheFolder, origin, () => true);
}

/** Forgets the cached tokens of a server that are meant. @returns the ids of those that were there */
export async function forgetCached(
  cacheFolder: string,
  origin: string,
  isMeant: (tokenId: string) => boolean,
): Promise<string[]> {
  const folder = folderOf(cacheFolder, origin);
  const names = await readdir(folder).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  });
  const ids: string[] = [];
  for (const name of names.filter((one) => one.endsWith('.json'))) {
    const cached = await readCached(join(folder, name));
    if (cached !== null && !isMeant(cached.tokenId)) continue;
    await rm(join(folder, name), { force: true });
    if (cached !== null) ids.push(cached.tokenId);
  }
  return ids;
}
