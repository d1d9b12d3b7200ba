import {
  groupMemberListing,
  userGroupListing,
  type deleteGroupMember,
  type listGroupMembers,
  type listUserGroups,
  type putGroupMember,
} from '#schema/api/people/group-members.ts';
import { OutriderError } from '#schema/errors.ts';
import { nextPage, readList } from '#schema/resources/list.ts';
import { findGroup, principalOf } from '../../store/kinds/groups.ts';
import {
  addGroupMember,
  listGroupsOf,
  listMembersOf,
  MAX_LOCAL_GROUPS,
  removeGroupMember,
} from '../../store/kinds/memberships.ts';
import { findUser } from '../../store/users.ts';
import { refuseStrongerGroup } from '../grants.ts';
import type { Handler } from '../handler.ts';

const noGroup = (): OutriderError => new OutriderError('not_found', 'there is no such group');
const nobody = (): OutriderError => new OutriderError('not_found', 'there is no such person');

export const handleListGroupMembers: Handler<typeof listGroupMembers> = async ({ params, query }, { db }) => {
  if ((await findGroup(db, params.group)) === null) throw noGroup();
  const request = readList(groupMemberListing, query);
  const { items, next } = await listMembersOf(db, params.group, request);
  return { items, continue: nextPage(request, next) };
};

export const handlePutGroupMember: Handler<typeof putGroupMember> = async ({ params }, deps, caller) => {
  await refuseStrongerGroup(deps.db, caller, principalOf(params.group));
  const outcome = await addGroupMember(deps, { groupId: params.group, userId: params.user });
  if (outcome === 'gone') throw noGroup();
  const user = await findUser(deps.db, params.user);
  if (outcome === 'nobody' || user === null) throw nobody();
  if (outcome === 'full') throw new OutriderError('conflict', `a person is in at most ${MAX_LOCAL_GROUPS} groups`);
  return { user: user.id, username: user.username };
};

export const handleDeleteGroupMember: Handler<typeof deleteGroupMember> = async ({ params }, deps, caller) => {
  await refuseStrongerGroup(deps.db, caller, principalOf(params.group));
  if (!(await removeGroupMember(deps, { groupId: params.group, userId: params.user }))) {
    throw new OutriderError('not_found', 'they are not in this group');
  }
  return undefined;
};

export const handleListUserGroups: Handler<typeof listUserGroups> = async ({ params, query }, { db }) => {
  if ((await findUser(db, params.user)) === null) throw nobody();
  const request = readList(userGroupListing, query);
  const { items, next } = await listGroupsOf(db, params.user, request);
  return { items, continue: nextPage(request, next) };
};
