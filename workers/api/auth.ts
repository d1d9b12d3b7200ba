import type { signIn, whoAmI } from '#schema/api/auth.ts';
import { moment } from '#schema/api/endpoint.ts';
import { OutriderError } from '#schema/errors.ts';
import { hashPassword, verifyPassword } from '../authn/password.ts';
import { beginSignIn } from '../authn/throttle.ts';
import { changePassword, findUser, findUserByName, type User } from '../store/users.ts';
import type { Deps, Handler } from './handler.ts';
import { renderUser } from './render.ts';
import { startSession, startTokenSession } from './sign-in/session.ts';

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
  if (user.passwordPending && body.newPassword === undefined) {
    throw new OutriderError(
      'password_change_required',
      'this password was made for one use; send newPassword along to choose your own',
    );
  }
  const issuedAt =
    body.newPassword === undefined ? Math.max(now, user.notBefore) : await change(deps, user, body.newPassword);
  return { user, issuedAt };
}

export const handleSignIn: Handler<typeof signIn> = async ({ body }, deps) => {
  const { user, issuedAt } = await checkPassword(deps, body);
  const rendered = { ...renderUser(user), passwordPending: false };
  if (!body.session) {
    const { token, expiresAt } = await startTokenSession(deps, user.id, { issuedAt });
    return { token, expiresAt: moment(expiresAt), user: rendered };
  }
  const { expiresAt, setCookie } = await startSession(deps, user.id, { issuedAt });
  deps.answer.append('set-cookie', setCookie);
  return { token: null, expiresAt: moment(expiresAt), user: rendered };
};

/**
 * Sets a password. Returns the earliest issue time that is still good: later than that of any token there is. Seconds are coarse, so "now" is not enough: somebody else may
 * have got a token in this very second, and a change in the same second has set the mark ahead of it already.
 */
async function change({ db, commit, now }: Deps, user: User, newPassword: string): Promise<number> {
  if (newPassword.toLowerCase() === user.username) {
    throw new OutriderError('invalid', 'newPassword: must not be the name');
  }
  if (verifyPassword(newPassword, user.passwordHash)) {
    throw new OutriderError('invalid', 'newPassword: must not be the old password');
  }
  const notBefore = Math.max(now, user.notBefore) + 1;
  const passwordHash = hashPassword(newPassword);
  if (!(await changePassword(db, commit, { user, passwordHash, notBefore, now }))) {
    throw new OutriderError('conflict', 'the password was changed by somebody else at the same moment; sign in again');
  }
  return notBefore;
}

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
