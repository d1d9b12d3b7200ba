import * as z from 'zod';
import { GlobalRoleBindingId, GlobalRoleId, GroupPrincipal, UserId } from '../../ids.ts';
import { endpoint, listOf, Moment } from '../endpoint.ts';

const GlobalRoleBinding = z.object({
  id: GlobalRoleBindingId,
  role: GlobalRoleId,
  user: UserId.nullable(),
  group: GroupPrincipal.nullable(),
  createdAt: Moment,
});

export const listGlobalRoleBindings = endpoint({
  operation: 'listGlobalRoleBindings',
  summary: 'Who has which global role. Administrators by their account alone are marked there, and not listed here',
  method: 'GET',
  path: '/v1/global-role-bindings',
  who: 'roles.manage',
  scope: 'reads',
  status: 200,
  result: listOf(GlobalRoleBinding),
  errors: [],
});

export const createGlobalRoleBinding = endpoint({
  operation: 'createGlobalRoleBinding',
  summary: 'Give a person, or everybody in a group, a global role; only one whose permissions the caller has',
  method: 'POST',
  path: '/v1/global-role-bindings',
  who: 'roles.manage',
  scope: 'anything',
  body: z
    .strictObject({
      role: GlobalRoleId,
      user: UserId.nullable().default(null),
      group: GroupPrincipal.nullable().default(null),
    })
    .refine(({ user, group }) => (user === null) !== (group === null), 'either user or group'),
  status: 201,
  result: GlobalRoleBinding,
  errors: ['not_found', 'conflict'],
});

export const deleteGlobalRoleBinding = endpoint({
  operation: 'deleteGlobalRoleBinding',
  summary: 'Take a global role back',
  method: 'DELETE',
  path: '/v1/global-role-bindings/{binding}',
  who: 'roles.manage',
  scope: 'anything',
  params: z.object({ binding: GlobalRoleBindingId }),
  status: 204,
  errors: ['not_found'],
});
