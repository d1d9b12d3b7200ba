import { whoAmI } from '#schema/api/account/auth.ts';
import type { Io } from '../io.ts';
import { planeApi } from '../plane/api.ts';
import type { Place } from '../session.ts';
import { forgetServer } from '../state/cache.ts';
import { changeServers, type SignIn, withServer } from '../state/servers.ts';

/**
 * Keeps a sign-in, after asking the plane whose token it is. The server becomes the current one.
 *
 * @throws {Failure} where the token is not good; nothing is kept then.
 */
export async function keepSignIn(io: Io, place: Place, token: string): Promise<SignIn> {
  const tokenHint = `the token is not good at ${place.origin}, or has ended`;
  const { user, token: facts } = await planeApi(io, { ...place, token }, { tokenHint }).call(whoAmI);
  const signIn: SignIn = { token, tokenId: facts.id, expiresAt: facts.expiresAt, username: user.username };
  await changeServers(place.paths.configFile, io.signal, (servers) => ({
    ...withServer(place.origin, () => ({ ...(place.ca === undefined ? {} : { ca: place.ca }), signIn }))(servers),
    current: place.origin,
  }));
  // They were made with another token, and nobody would find them any more.
  await forgetServer(place.paths.cacheFolder, place.origin);
  return signIn;
}
