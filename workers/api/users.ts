import type { createUser, deleteUser, getUser, listUsers, updateUser } from '#schema/api/users.ts';
import { OutriderError } from '#schema/errors.ts';
import { newUserId } from '#schema/ids.ts';
import { ADMINISTRATOR_ROLE } from '#schema/roles.ts';
import { hashPassword } from '../authn/password.ts';
import { addUser, findUser, listUsers as storedUsers, removeUser, setUserEnabled, type User } from '../store/users.ts';
import type { Deps, Handler } from './handler.ts';
import { refuseAbove, refuseMoreThanOwn } from './grants.ts';
import { renderUser } from './render.ts';

async function found({ db }: Deps, id: string): Promise<User> {
  const user = await findUser(db, id);
  if (user === null) throw new OutriderError('not_found', 'there is no such person');
  return user;
}

const lastAdministrator = (): OutriderError =>
  new OutriderError('conflict', 'this is the last administrator who can sign in; make another one first');

export const handleListUsers: Handler<typeof listUsers> = async (_input, { db }) => ({
  items: (await storedUsers(db)).map(renderUser),
});

export const handleCreateUser: Handler<typeof createUser> = async ({ body }, deps, caller) => {
  if (body.administrator) refuseMoreThanOwn(caller, [], ADMINISTRATOR_ROLE);
  const id = newUserId();
  const added = await addUser(deps.db, deps.commit, {
    id,
    username: body.username,
    administrator: body.administrator,
    passwordHash: hashPassword(body.password),
    passwordPending: true,
    createdAt: deps.now,
  });
  if (!added) throw new OutriderError('conflict', `the name ${body.username} is taken`);
  return renderUser(await found(deps, id));
};

export const handleGetUser: Handler<typeof getUser> = async ({ params }, deps) =>
  renderUser(await found(deps, params.user));

export const handleUpdateUser: Handler<typeof updateUser> = async ({ params, body }, deps, caller) => {
  await found(deps, params.user);
  await refuseAbove(deps.db, caller, params.user);
  const change = { id: params.user, enabled: body.enabled, now: deps.now };
  if (!(await setUserEnabled(deps.db, deps.commit, change))) throw lastAdministrator();
  return renderUser(await found(deps, params.user));
};

export const handleDeleteUser: Handler<typeof deleteUser> = async ({ params }, deps, caller) => {
  await found(deps, params.user);
  await refuseAbove(deps.db, caller, params.user);
  if (!(await removeUser(deps.db, deps.commit, { id: params.user, now: deps.now }))) throw lastAdministrator();
  return undefined;
};
