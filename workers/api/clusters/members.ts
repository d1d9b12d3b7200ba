import type { deleteMember, listMembers, putMember } from '#schema/api/clusters/members.ts';
import { OutriderError } from '#schema/errors.ts';
import { listMembers as storedMembers, removeMember, setMember } from '../../store/rights/members.ts';
import { findUser } from '../../store/users.ts';
import type { Handler } from '../handler.ts';

export const handleListMembers: Handler<typeof listMembers> = async ({ params }, { db }) => ({
  items: await storedMembers(db, params.cluster),
});

export const handlePutMember: Handler<typeof putMember> = async ({ params, body }, { db, commit, now }) => {
  const user = await findUser(db, params.user);
  if (user === null) throw new OutriderError('not_found', 'there is no such person');
  await setMember(db, commit, { clusterId: params.cluster, userId: user.id, role: body.role, now });
  return { user: user.id, username: user.username, role: body.role };
};

export const handleDeleteMember: Handler<typeof deleteMember> = async ({ params }, { db, commit, now }) => {
  if (!(await removeMember(db, commit, { clusterId: params.cluster, userId: params.user, now }))) {
    throw new OutriderError('not_found', 'they have no role in this cluster');
  }
  return undefined;
};
