import type { changeMyPassword } from '#schema/api/account/password.ts';
import { OutriderError } from '#schema/errors.ts';
import { hashPassword, verifyPassword } from '../../authn/password.ts';
import { beginSignIn } from '../../authn/throttle.ts';
import { changePassword, findUser, type User } from '../../store/users.ts';
import type { Deps, Handler } from '../handler.ts';
import { openSession } from './session.ts';

/**
 * The rules for passwords beside their length: a new one is not what somebody would guess who knows the person's name (NIST SP 800-63B §3.1.1.2; which characters it is made of is nobody's business).
 * @param field where the password was in the request
 * @throws OutriderError invalid
 */
export async function checkNewPassword(field: string, password: string, username: string): Promise<void> {
  if (password.toLowerCase() === username.toLowerCase()) {
    throw new OutriderError('invalid', `${field}: must not be the name`);
  }
  // Only here, so that no request of kubectl's waits while an isolate that starts reads it.
  const { isGuessable } = await import('../../authn/password-strength.ts');
  if (isGuessable(password, [username, ...username.split(/[._@-]+/)])) {
    throw new OutriderError(
      'invalid',
      `${field}: is too easy to guess: common words, names, rows of the keyboard and repetitions are tried first; take several words that have nothing to do with each other`,
    );
  }
}

/** A password has to be changed before anybody is signed in by it. */
export class PasswordChangeRequired extends OutriderError {
  readonly reason: 'one-time' | 'too-old';
  constructor(reason: 'one-time' | 'too-old') {
    const why =
      reason === 'one-time' ? 'this password was made for one use' : 'this password is older than this plane allows';
    super('password_change_required', `${why}; send newPassword along to choose your own`);
    this.reason = reason;
  }
}

/**
 * To be asked when somebody has shown the password of a person. Its age is looked at here alone: sessions and tokens go on, since they were made when it was good, end by themselves, and do not become known by its age.
 * To end them at an hour that nobody has chosen would stop people's work and that of their machines.
 * @param now epoch seconds
 * @throws PasswordChangeRequired
 */
export function requireFreshPassword(user: Pick<User, 'passwordPending' | 'passwordExpiresAt'>, now: number): void {
  if (user.passwordPending) throw new PasswordChangeRequired('one-time');
  if (user.passwordExpiresAt !== null && user.passwordExpiresAt <= now) throw new PasswordChangeRequired('too-old');
}

/**
 * Sets a password that its person chose, whose old one was just verified. Returns the earliest issue time that is still good: later than that of any token there is. Seconds are
 * coarse, so "now" is not enough: somebody else may have got a token in this very second, and a change in the same second has set the mark ahead of it already.
 */
export async function choosePassword({ db, commit, now }: Deps, user: User, newPassword: string): Promise<number> {
  await checkNewPassword('newPassword', newPassword, user.username);
  // One alone is remembered: each costs as much as a sign-in. It is the one from before a reset, which somebody else may know.
  for (const old of [user.passwordHash, user.previousPasswordHash]) {
    if (old !== null && verifyPassword(newPassword, old)) {
      throw new OutriderError('invalid', 'newPassword: must be neither the old password nor the one before');
    }
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
