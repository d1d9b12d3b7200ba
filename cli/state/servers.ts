import { dirname } from 'node:path';
import * as z from 'zod';
import { Failure } from '../exits.ts';
import { makeSecretFolder, readText, writeWhole } from './files.ts';
import { withLock } from './lock.ts';

/** Longer than any token of the plane, which are a few hundred characters. */
export const MAX_TOKEN = 8192;
/** A bundle of a few CAs. */
export const MAX_CA = 256 * 1024;
/** Writing a few lines takes milliseconds. */
const LOCK_WAIT_MS = 10_000;
const LOCK_STALE_MS = 60_000;

const SignIn = z.object({
  token: z.string().min(1).max(MAX_TOKEN),
  tokenId: z.string().max(64),
  expiresAt: z.iso.datetime(),
  username: z.string().max(256),
});
/** A sign-in at a server: its token, and what the server said about it. */
export type SignIn = z.infer<typeof SignIn>;

const Server = z.object({
  /** PEM of the only CA to trust for it; none: the public ones. */
  ca: z.string().max(MAX_CA).optional(),
  signIn: SignIn.optional(),
});
export type Server = z.infer<typeof Server>;

const Origin = z.url({ protocol: /^https$/ }).max(512);

const Servers = z.object({
  version: z.literal(1),
  /** Origin of the server that is meant where none is named. */
  current: Origin.optional(),
  servers: z.record(Origin, Server),
});
/** The servers that this person knows, by origin. */
export type Servers = z.infer<typeof Servers>;

/** @throws {Failure} where the file is damaged: guessing could send a token to the wrong place. */
export async function readServers(file: string): Promise<Servers> {
  const text = await readText(file);
  if (text === null) return { version: 1, servers: {} };
  try {
    return Servers.parse(JSON.parse(text));
  } catch {
    throw new Failure('error', `${file} is damaged: remove it, then sign in again with \`outrider login\``);
  }
}

/** Changes what is known, one process at a time. @returns what it is then */
export async function changeServers(
  file: string,
  signal: AbortSignal,
  change: (servers: Servers) => Servers,
): Promise<Servers> {
  await makeSecretFolder(dirname(file));
  const changed = await withLock(`${file}.lock`, { waitMs: LOCK_WAIT_MS, staleMs: LOCK_STALE_MS, signal }, async () => {
    const next = change(await readServers(file));
    await writeWhole(file, `${JSON.stringify(next, null, 2)}\n`);
    return next;
  });
  if (changed === undefined) throw new Error('the lock was not waited for');
  return changed;
}

/** A change of one server's row. */
export const withServer =
  (origin: string, change: (server: Server) => Server) =>
  (servers: Servers): Servers => ({
    ...servers,
    servers: { ...servers.servers, [origin]: change(servers.servers[origin] ?? {}) },
  });

/** A change that forgets who is signed in at a server. */
export const withoutSignIn = (origin: string): ((servers: Servers) => Servers) =>
  withServer(origin, ({ signIn: _, ...server }) => server);

/**
 * The origin that a person means by `--server`: `https://` may be left out.
 *
 * @throws {Failure} for anything but an https origin: a token never travels in the clear.
 */
export function parseServer(text: string): string {
  const address = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `https://${text}`;
  const url = URL.canParse(address) ? new URL(address) : null;
  const isOrigin =
    url !== null && url.protocol === 'https:' && url.username === '' && url.password === '' && url.pathname === '/';
  // The text is not repeated: it may hold a password.
  if (!isOrigin || url.search !== '' || url.hash !== '' || url.origin.length > 512) {
    throw new Failure('usage', 'the server must be https://host[:port] and nothing more');
  }
  return url.origin;
}
