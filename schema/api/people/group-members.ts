import * as z from 'zod';
import { GroupId, UserId } from '../../ids.ts';
import { listQuery, pageOf, textFilter, type Listing } from '../../resources/list.ts';
import { endpoint } from '../endpoint.ts';

const GroupMember = z.object({ user: UserId, username: z.string() });

const groupParams = z.object({ group: GroupId });
const params = groupParams.extend({ user: UserId });

export const groupMemberListing = {
  fields: { username: { filter: textFilter.toLowerCase(), sort: 'text' } },
  order: 'username',
} as const satisfies Listing;

export const listGroupMembers = endpoint({
  operation: 'listGroupMembers',
  summary: 'Who is in a group',
  method: 'GET',
  path: '/v1/groups/{group}/members',
  who: 'users.manage',
  scope: 'reads',
  params: groupParams,
  query: listQuery(groupMemberListing),
  status: 200,
  result: pageOf(GroupMember),
  errors: ['not_found'],
});

export const putGroupMember = endpoint({
  operation: 'putGroupMember',
  summary: 'Put a person into a group',
  method: 'PUT',
  path: '/v1/groups/{group}/members/{user}',
  who: 'users.manage',
  scope: 'anything',
  params,
  status: 200,
  result: GroupMember,
  errors: ['not_found', 'conflict'],
});

export const deleteGroupMember = endpoint({
  operation: 'deleteGroupMember',
  summary: 'Take a person out of a group; what they had by it they lose within seconds',
  method: 'DELETE',
  path: '/v1/groups/{group}/members/{user}',
  who: 'users.manage',
  scope: 'anything',
  params,
  status: 204,
  errors: ['not_found'],
});

export const userGroupListing = {
  fields: { principal: { sort: 'text' }, source: { filter: textFilter } },
  order: 'principal',
} as const satisfies Listing;

export const listUserGroups = endpoint({
  operation: 'listUserGroups',
  summary: 'The groups that a person is in: those that are kept here, and those that their providers named last',
  method: 'GET',
  path: '/v1/users/{user}/groups',
  who: 'users.manage',
  scope: 'reads',
  params: z.object({ user: UserId }),
  query: listQuery(userGroupListing),
  status: 200,
  result: pageOf(
    z.object({
      principal: z.string(),
      source: z.string().describe("Who says so: a provider's id, or local"),
    }),
  ),
  errors: ['not_found'],
});
