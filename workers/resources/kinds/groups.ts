import { newGroupId } from '#schema/ids.ts';
import { GroupKind } from '#schema/resources/kinds/groups.ts';
import { refuseStrongerGroup } from '../../api/grants.ts';
import type { Route } from '../../api/route.ts';
import { addGroup, findGroup, listGroups, removeGroup, retireGroup, updateGroup } from '../../store/kinds/groups.ts';
import { mount } from '../mount.ts';

export const groupRoutes: Route[] = mount(
  GroupKind,
  { list: listGroups, find: findGroup, update: updateGroup, retire: retireGroup, remove: removeGroup },
  {
    async guard({ status }, _change, { db }, caller) {
      await refuseStrongerGroup(db, caller, status.principal);
    },
    async create({ name, spec }, { db, now }) {
      const id = newGroupId();
      return (await addGroup(db, { id, name, description: spec.description, createdAt: now })) ? id : null;
    },
    actions: {},
  },
);
