import { moment } from '#schema/api/endpoint.ts';
import type { signInWithProvider } from '#schema/api/providers/password.ts';
import { OutriderError } from '#schema/errors.ts';
import { admit, type SignedIn } from '../../authn/providers/people/sign-in.ts';
import { connectorOf } from '../../authn/providers/sealed.ts';
import { beginSignIn } from '../../authn/throttle.ts';
import { findUser } from '../../store/users.ts';
import type { Deps, Handler } from '../handler.ts';
import { renderUser } from '../render.ts';
import { startSession, startTokenSession } from '../sign-in/session.ts';
import { enabledProvider } from './flow.ts';
import { asRefusal } from './refusal.ts';

/**
 * Has a provider judge a name and a password, and takes its word on who it is. Throttled as sign-ins with a name of the plane's own are: a wrong password counts at the directory too, which locks
 * accounts.
 * @throws OutriderError throttled; invalid_credentials; sign_in_refused; provider_unavailable; not_found
 */
export async function checkAtProvider(
  deps: Deps,
  id: string,
  { username, password }: { username: string; password: string },
): Promise<SignedIn> {
  const provider = await enabledProvider(deps, id);
  const attempt = await beginSignIn(deps.db, {
    username: `${provider.id}_user://${username}`,
    address: deps.address,
    now: deps.now,
  });
  try {
    const { password: flow } = await connectorOf(deps, provider);
    if (flow === undefined) throw new OutriderError('not_found', 'one does not sign in there with a password');
    const identity = await flow.signIn(username, password);
    if (identity === null) throw new OutriderError('invalid_credentials', 'the name or the password is wrong');
    await attempt.succeeded();
    // The provider as it is after the answer: it may have been changed while that was under way.
    return await admit(deps, await enabledProvider(deps, id), identity);
  } catch (error) {
    throw asRefusal(error);
  }
}

export const handleSignInWithProvider: Handler<typeof signInWithProvider> = async ({ params, body }, deps) => {
  const { userId, issueAt } = await checkAtProvider(deps, params.provider, body);
  const user = await findUser(deps.db, userId);
  if (user === null) throw new OutriderError('unauthenticated', 'the account is gone');
  const options = { description: `sign-in with ${params.provider}`, issuedAt: issueAt };
  const rendered = renderUser(user);
  if (!body.session) {
    const { token, expiresAt } = await startTokenSession(deps, userId, options);
    return { token, expiresAt: moment(expiresAt), user: rendered };
  }
  const { expiresAt, setCookie } = await startSession(deps, userId, options);
  deps.answer.append('set-cookie', setCookie);
  return { token: null, expiresAt: moment(expiresAt), user: rendered };
};
