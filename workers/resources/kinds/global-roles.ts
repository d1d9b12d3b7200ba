import { OutriderError } from '#schema/errors.ts';
import { newGlobalRoleId } from '#schema/ids.ts';
import { GlobalRoleKind } from '#schema/resources/kinds/global-roles.ts';
import { refuseMoreThanOwn } from '../../api/grants.ts';
import type { Route } from '../../api/route.ts';
import {
  addGlobalRole,
  findGlobalRole,
  listGlobalRoles,
  removeGlobalRole,
  retireGlobalRole,
  updateGlobalRole,
} from '../../store/kinds/global-roles.ts';
import { mount } from '../mount.ts';

export const globalRoleRoutes: Route[] = mount(
  GlobalRoleKind,
  {
    list: listGlobalRoles,
    find: findGlobalRole,
    update: updateGlobalRole,
    retire: retireGlobalRole,
    remove: removeGlobalRole,
  },
  {
    async guard({ spec, status }, change, _deps, caller) {
      if (status.builtIn) {
        throw new OutriderError('conflict', 'every plane has this role as it is; make one of your own instead');
      }
      // What it lets already counts too: to take away what one does not have is to decide over it.
      refuseMoreThanOwn(caller, [...spec.permissions, ...(change?.spec.permissions ?? [])]);
    },
    async create({ name, spec }, deps, caller) {
      refuseMoreThanOwn(caller, spec.permissions);
      const id = newGlobalRoleId();
      return (await addGlobalRole(deps, { id, name, spec })) ? id : null;
    },
    actions: {},
  },
);
