import type { resetPassword, setUpAdministrator } from '#schema/api/account/setup.ts';
import { OutriderError } from '#schema/errors.ts';
import { newUserId } from '#schema/ids.ts';
import { hashPassword } from '../../authn/password.ts';
import { addUser, findUserByName, firstAdministrator, resetAdministrator, type User } from '../../store/users.ts';
import type { Handler } from '../handler.ts';
import { renderUser } from '../render.ts';
import { checkNewPassword } from './password.ts';

const answer = (user: User, created: boolean) => ({
  user: renderUser(user),
  created,
  passwordPending: user.passwordPending,
});

export const handleSetUpAdministrator: Handler<typeof setUpAdministrator> = async ({ body }, { db, commit, now }) => {
  const existing = await firstAdministrator(db);
  if (existing !== null) return answer(existing, false);
  await checkNewPassword('password', body.password, body.username);
  const id = newUserId();
  await addUser(
    db,
    commit,
    {
      id,
      username: body.username,
      administrator: true,
      passwordHash: hashPassword(body.password),
      passwordPending: true,
      createdAt: now,
    },
    { onlyIfFirst: true },
  );
  const first = await firstAdministrator(db);
  if (first === null) throw new OutriderError('conflict', `the name ${body.username} belongs to somebody else`);
  return answer(first, first.id === id);
};

export const handleResetPassword: Handler<typeof resetPassword> = async ({ body }, { db, commit, now }) => {
  await checkNewPassword('password', body.password, body.username);
  const user = await findUserByName(db, body.username);
  const passwordHash = hashPassword(body.password);
  if (user === null || !(await resetAdministrator(db, commit, { id: user.id, passwordHash, now }))) {
    throw new OutriderError('not_found', `there is no administrator named ${body.username}`);
  }
  return { user: renderUser({ ...user, enabled: true, passwordPending: true }) };
};
