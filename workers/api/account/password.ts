import type { changeMyPassword } from '#schema/api/account/password.ts';
import { OutriderError } from '#schema/errors.ts';
import { hashPassword, verifyPassword } from '../../authn/password.ts';
import { beginSignIn } from '../../authn/throttle.ts';
import { changePassword, findUser, type User } from '../../store/users.ts';
import type { Deps, Handler } from '../handler.ts';
import { openSession } from './session.ts';

/** @param field where the password was in the request @throws OutriderError invalid: it is the name */
export function checkNewPassword(field: string, password: string, username: string): void {
  if (password.toLowerCase() === username.toLowerCase())
    throw new OutriderError('invalid', `${field}: must not be the name`);
}

/**
 * Sets a password that its person chose, whose old one was just verified. Returns the earliest issue time that is still good: later than that of any token there is. Seconds are
 * coarse, so "now" is not enough: somebody else may have got a token in this very second, and a change in the same second has set the mark ahead of it already.
 */
export async function choosePassword({ db, commit, now }: Deps, user: User, newPassword: string): Promise<number> {
  checkNewPassword('newPassword', newPassword, user.username);
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

/** As a sign-in: counted before the password is looked at, or a stolen token would guess it. */
export const handleChangeMyPassword: Handler<typeof changeMyPassword> = async (
  { body },
  deps,
  { principal, facts },
) => {
  const attempt = await beginSignIn(deps.db, { username: facts.username, address: deps.address, now: deps.now });
  const user = await findUser(deps.db, principal.user);
  const right = verifyPassword(body.oldPassword, user?.passwordHash ?? null);
  if (user === null || !right || !user.enabled) {
    throw new OutriderError('invalid_credentials', 'the old password is wrong');
  }
  await attempt.succeeded();
  const issuedAt = await choosePassword(deps, user, body.newPassword);
  return await openSession(deps, user, { browser: body.session, issuedAt });
};
