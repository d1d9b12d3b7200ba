import type { signIn, whoAmI } from '#schema/api/account/auth.ts';
import { moment } from '#schema/api/endpoint.ts';
import { OutriderError } from '#schema/errors.ts';
import { verifyPassword } from '../../authn/password.ts';
import { beginSignIn } from '../../authn/throttle.ts';
import { findUser, findUserByName, type User } from '../../store/users.ts';
import type { Deps, Handler } from '../handler.ts';
import { choosePassword, requireFreshPassword } from './password.ts';
import { renderUser } from '../render.ts';
import { openSession } from './session.ts';

/** What is typed at a sign-in form. */
interface Typed {
  readonly username: string;
  readonly password: string;
  readonly newPassword?: string | undefined;
}

/**
 * Finds out whether somebody is who they say, and sets their new password where they send one along.
 * @returns the person, and the issue time of what they get: epoch seconds
 * @throws OutriderError throttled; invalid_credentials; password_change_required; invalid; conflict
 */
export async function checkPassword(deps: Deps, body: Typed): Promise<{ user: User; issuedAt: number }> {
  const { db, now, address } = deps;
  const attempt = await beginSignIn(db, { username: body.username, address, now });
  const user = await findUserByName(db, body.username);
  if (user !== null) deps.named(user);
  const right = verifyPassword(body.password, user?.passwordHash ?? null);
  // One answer for no such person, a wrong password and a disabled account: none tells which names there are.
  if (user === null || !right || !user.enabled) {
    throw new OutriderError('invalid_credentials', 'the name or the password is wrong');
  }
  await attempt.succeeded();
  if (body.newPassword === undefined) requireFreshPassword(user, now);
  const issuedAt =
    body.newPassword === undefined ? Math.max(now, user.notBefore) : await choosePassword(deps, user, body.newPassword);
  return { user, issuedAt };
}

export const handleSignIn: Handler<typeof signIn> = async ({ body }, deps) => {
  const { user, issuedAt } = await checkPassword(deps, body);
  return await openSession(deps, user, { browser: body.session, issuedAt });
};

export const handleWhoAmI: Handler<typeof whoAmI> = async (_input, { db }, { principal }) => {
  const user = await findUser(db, principal.user);
  if (user === null) throw new OutriderError('unauthenticated', 'the account is gone');
  return {
    user: renderUser(user),
    token: {
      id: principal.token,
      expiresAt: moment(principal.expiresAt),
      cluster: principal.cluster,
      readOnly: principal.readOnly,
    },
  };
};
