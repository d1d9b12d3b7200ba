import { hostname } from 'node:os';
import { endpointsOf } from '#schema/resources/endpoints.ts';
import { TokenKind } from '#schema/resources/kinds/tokens.ts';
import { Failure } from '../exits.ts';
import { type Io, variable } from '../io.ts';
import { planeApi } from '../plane/api.ts';
import { Refusal, signInHint } from '../plane/failures.ts';
import { findPlace, openSession, type Place, type ServerOptions, type Session } from '../session.ts';
import { cacheFile, type CachedToken, readCached, writeCached } from '../state/cache.ts';
import { makeSecretFolder } from '../state/files.ts';
import { withLock } from '../state/lock.ts';

/** A token that lies in a file is good for this long, s. */
const TTL_S = 3600;
/** One that ends sooner than this is made anew: what was just begun must not lose it. */
const MARGIN_MS = 5 * 60_000;
/** Making a token is one request. */
const REQUEST_MS = 15_000;
/** A held lock must not hold up every kubectl (kubelogin#1652). */
const WAIT_MS = 20_000;
/** A lock that is older belonged to a process that died. */
const STALE_MS = 60_000;
/** A person who signs in needs longer. */
const SIGN_IN_WAIT_MS = 60_000;
const SIGN_IN_STALE_MS = 6 * 60_000;

/** A token to give to kubectl. */
export interface Granted {
  readonly token: string;
  /** RFC 3339; undefined: not known here. */
  readonly expiresAt: string | undefined;
}

/** What the plugin was asked, and how to sign a person in where there is one. */
export interface TokenRequest extends ServerOptions {
  /** Cluster id; undefined: the sign-in's own token. */
  readonly cluster: string | undefined;
  /** Undefined: nobody is there to sign in. */
  readonly signIn: ((place: Place) => Promise<void>) | undefined;
}

/**
 * A token for one cluster: from the cache, or made by one process while the others that ask at the same moment wait for it.
 *
 * @throws {Failure} `not-signed-in` where nobody can be asked to.
 */
export async function clusterToken(io: Io, request: TokenRequest): Promise<Granted> {
  const given = variable(io.env, 'OUTRIDER_TOKEN');
  const session = await signedIn(io, request);
  const { token, origin, paths, signIn, fromEnvironment } = session;
  if (given !== undefined || fromEnvironment) return { token, expiresAt: undefined };
  const own: Granted = { token, expiresAt: signIn?.expiresAt };
  const { cluster } = request;
  if (cluster === undefined) return own;

  const file = await cacheFile(paths.cacheFolder, { origin, cluster, signInToken: token });
  const fresh = async (): Promise<CachedToken | null> => {
    const cached = await readCached(file);
    return cached !== null && Date.parse(cached.expiresAt) - Date.now() > MARGIN_MS ? cached : null;
  };
  const cached = await fresh();
  if (cached !== null) return cached;
  const made = await withLock(
    `${file}.lock`,
    { waitMs: WAIT_MS, staleMs: STALE_MS, signal: io.signal, meanwhile: async () => (await fresh()) !== null },
    async () => (await fresh()) ?? (await make(io, session, cluster, file)) ?? own,
  );
  return made ?? (await fresh()) ?? own;
}

/** @returns null where the sign-in is itself a token that may make none: then it is the one to use */
async function make(io: Io, session: Session, cluster: string, file: string): Promise<CachedToken | null> {
  try {
    const { id, token, status } = await planeApi(io, session, { timeoutMs: REQUEST_MS }).call(
      endpointsOf(TokenKind).create,
      {
        body: { spec: { description: `kubectl on ${hostname()}`.slice(0, 256), ttlSeconds: TTL_S, cluster } },
      },
    );
    const made = { tokenId: id, token, expiresAt: status.expiresAt };
    await writeCached(file, made);
    return made;
  } catch (error) {
    if (error instanceof Refusal && (error.code === 'wrong_scope' || error.code === 'read_only')) return null;
    throw error;
  }
}

/** The session, or one that a person begins now: one at a time, however many programs ask, and nobody tries again by itself (teleport#22494). */
async function signedIn(io: Io, request: TokenRequest): Promise<Session> {
  try {
    return await openSession(io, request);
  } catch (error) {
    if (!(error instanceof Failure) || error.exit !== 'not-signed-in' || request.signIn === undefined) throw error;
  }
  const { signIn } = request;
  const place = await findPlace(io, request);
  await makeSecretFolder(place.paths.cacheFolder);
  let waited = false;
  await withLock(
    `${place.paths.cacheFolder}/sign-in.lock`,
    {
      waitMs: SIGN_IN_WAIT_MS,
      staleMs: SIGN_IN_STALE_MS,
      signal: io.signal,
      meanwhile: () => {
        waited = true;
        return Promise.resolve(false);
      },
    },
    async () => {
      const { signIn: now } = await findPlace(io, request);
      if (now !== undefined && Date.parse(now.expiresAt) > Date.now()) return;
      // Another asked a moment ago, and was not answered.
      if (waited) throw new Failure('not-signed-in', signInHint(place.origin));
      await signIn(place);
    },
  );
  return await openSession(io, request);
}
