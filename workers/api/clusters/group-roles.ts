import type { deleteGroupRole, listGroupRoles, putGroupRole } from '#schema/api/clusters/group-roles.ts';
import { OutriderError } from '#schema/errors.ts';
import { listGroupRoles as storedRoles, removeGroupRole, setGroupRole } from '../../store/rights/groups.ts';
import type { Handler } from '../handler.ts';

export const handleListGroupRoles: Handler<typeof listGroupRoles> = async ({ params }, { db }) => ({
  items: await storedRoles(db, params.cluster),
});

export const handlePutGroupRole: Handler<typeof putGroupRole> = async ({ params, body }, { db, commit, now }) => {
  await setGroupRole(db, commit, { clusterId: params.cluster, ...body, now });
  return body;
};

export const handleDeleteGroupRole: Handler<typeof deleteGroupRole> = async (
  { params, query },
  { db, commit, now },
) => {
  if (!(await removeGroupRole(db, commit, { clusterId: params.cluster, group: query.group, now }))) {
    throw new OutriderError('not_found', 'the group has no role in this cluster');
  }
  return undefined;
};
