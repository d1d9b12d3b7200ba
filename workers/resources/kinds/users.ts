import { OutriderError } from '#schema/errors.ts';
import { newUserId } from '#schema/ids.ts';
import { UserKind } from '#schema/resources/kinds/users.ts';
import { ADMINISTRATOR_ROLE } from '#schema/roles.ts';
import { refuseAbove, refuseMoreThanOwn, refuseStrongerInCluster } from '../../api/grants.ts';
import { checkNewPassword } from '../../api/account/password.ts';
import type { Route } from '../../api/route.ts';
import { hashPassword } from '../../authn/password.ts';
import { listUsers, readUser, removeUser, resetUserPassword, retireUser, updateUser } from '../../store/kinds/users.ts';
import { addUser } from '../../store/users.ts';
import { mount } from '../mount.ts';

export const userRoutes: Route[] = mount(
  UserKind,
  { list: listUsers, find: readUser, update: updateUser, retire: retireUser, remove: removeUser },
  {
    refusal: 'this is the last administrator who can sign in; make another one first',
    async guard({ id, spec }, change, { db }, caller) {
      await refuseAbove(db, caller, id);
      if (change !== null && change.spec.administrator !== spec.administrator) {
        refuseMoreThanOwn(caller, [], ADMINISTRATOR_ROLE);
      }
      if (change !== null && change.spec.enabled && !spec.enabled) await refuseStrongerInCluster(db, caller, id);
    },
    async create({ name, spec }, { db, commit, now }, caller) {
      if (spec.administrator) refuseMoreThanOwn(caller, [], ADMINISTRATOR_ROLE);
      await checkNewPassword('spec.password', spec.password, name);
      const id = newUserId();
      const added = await addUser(db, commit, {
        id,
        username: name,
        administrator: spec.administrator,
        enabled: spec.enabled,
        passwordHash: hashPassword(spec.password),
        passwordPending: true,
        createdAt: now,
      });
      return added ? id : null;
    },
    actions: {
      async 'reset-password'({ id, name }, { password }, deps, caller, seen) {
        // A stolen token would otherwise take the account for good, without the old password.
        if (id === caller.principal.user) {
          throw new OutriderError('forbidden', 'change your own password with the old one: PATCH /v1/me/password');
        }
        await refuseStrongerInCluster(deps.db, caller, id);
        await checkNewPassword('password', password, name);
        return await resetUserPassword(deps, { id, passwordHash: hashPassword(password), seen });
      },
    },
  },
);
