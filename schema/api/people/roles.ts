import * as z from 'zod';
import { plain } from '../../audit/redact.ts';
import { GlobalRoleBindingId, GlobalRoleId, GroupPrincipal, UserId } from '../../ids.ts';
import { Permission, PERMISSIONS } from '../../roles.ts';
import { endpoint, listOf, Moment } from '../endpoint.ts';

/** The id of a role that somebody made, or the name of one that every plane has. */
const RoleId = plain(z.string().regex(/^[a-z][a-z0-9-]{0,63}$/));

const name = plain(z.string().trim().min(1).max(64));
// Unique, and in the order of the list, so that two roles that let the same look the same.
const permissions = z
  .array(Permission)
  .max(PERMISSIONS.length)
  .transform((given) => PERMISSIONS.filter((permission) => given.includes(permission)));

const GlobalRole = z.object({
  id: RoleId,
  name: z.string(),
  builtIn: z.boolean(),
  permissions: z.array(Permission),
});

const params = z.object({ role: GlobalRoleId });

export const listGlobalRoles = endpoint({
  operation: 'listGlobalRoles',
  summary: 'The global roles: those that every plane has, and those that were made',
  method: 'GET',
  path: '/v1/global-roles',
  who: 'person',
  scope: 'reads',
  status: 200,
  result: listOf(GlobalRole),
  errors: [],
});

export const createGlobalRole = endpoint({
  operation: 'createGlobalRole',
  summary: 'Make a global role, of permissions that the caller has',
  method: 'POST',
  path: '/v1/global-roles',
  who: 'roles.manage',
  scope: 'anything',
  body: z.strictObject({ name, permissions }),
  status: 201,
  result: GlobalRole,
  errors: ['conflict'],
});

export const updateGlobalRole = endpoint({
  operation: 'updateGlobalRole',
  summary: 'Change a global role that was made; its bindings follow at once',
  method: 'PATCH',
  path: '/v1/global-roles/{role}',
  who: 'roles.manage',
  scope: 'anything',
  params,
  body: z.strictObject({ name: name.optional(), permissions: permissions.optional() }),
  status: 200,
  result: GlobalRole,
  errors: ['not_found', 'conflict'],
});

export const deleteGlobalRole = endpoint({
  operation: 'deleteGlobalRole',
  summary: 'Remove a global role that was made, with its bindings',
  method: 'DELETE',
  path: '/v1/global-roles/{role}',
  who: 'roles.manage',
  scope: 'anything',
  params,
  status: 204,
  errors: ['not_found'],
});

const GlobalRoleBinding = z.object({
  id: GlobalRoleBindingId,
  role: RoleId,
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
      role: RoleId,
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
