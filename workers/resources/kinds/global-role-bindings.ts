import { OutriderError } from '#schema/errors.ts';
import { newGlobalRoleBindingId } from '#schema/ids.ts';
import { GlobalRoleBindingKind } from '#schema/resources/kinds/global-role-bindings.ts';
import { refuseMoreThanOwn } from '../../api/grants.ts';
import type { Route } from '../../api/route.ts';
import {
  addGlobalRoleBinding,
  findGlobalRoleBinding,
  listGlobalRoleBindings,
  removeGlobalRoleBinding,
} from '../../store/kinds/global-role-bindings.ts';
import { findGlobalRole } from '../../store/kinds/global-roles.ts';
import { mount } from '../mount.ts';

export const globalRoleBindingRoutes: Route[] = mount(
  GlobalRoleBindingKind,
  { list: listGlobalRoleBindings, find: findGlobalRoleBinding, remove: removeGlobalRoleBinding },
  {
    async guard({ spec }, _change, { db }, caller) {
      const role = await findGlobalRole(db, spec.role);
      refuseMoreThanOwn(caller, role?.spec.permissions ?? [], spec.role);
    },
    async create({ spec }, deps, caller) {
      const role = await findGlobalRole(deps.db, spec.role);
      if (role === null) throw new OutriderError('not_found', 'there is no such role');
      refuseMoreThanOwn(caller, role.spec.permissions, role.id);
      const id = newGlobalRoleBindingId();
      if (!(await addGlobalRoleBinding(deps, { id, spec }))) {
        throw new OutriderError(
          'conflict',
          'they have this role already, it is being removed, or there is no such person',
        );
      }
      return id;
    },
    actions: {},
  },
);
