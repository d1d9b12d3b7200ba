import type { signIn, whoAmI } from '#schema/api/auth.ts';
import { moment } from '#schema/api/endpoint.ts';
import { OutriderError } from '#schema/errors.ts';
import { hashPassword, verifyPassword } from '../authn/password.ts';
import { beginSignIn } from '../authn/throttle.ts';
import { changePassword, findUser, findUserByName, type User } from '../store/users.ts';
import type { Deps, Handler } from './handler.ts';
import { mint } from './mint.ts';
import { renderUser } from './render.ts';

/** A working day and what is left of it at home. */
const SESSION_SECONDS = 16 * 3600;

export const handleSignIn: Handler<typeof signIn> = async ({ body }, deps) => {
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
  const { row, token } = await mint(deps, {
    userId: user.id,
    kind: 'session',
    description: 'sign-in',
    cluster: null,
    readOnly: false,
    createdAt: issuedAt,
    expiresAt: now + SESSION_SECONDS,
  });
  return {
    token,
    expiresAt: moment(row.expiresAt),
    user: { ...renderUser(user), passwordPending: false },
  };
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
