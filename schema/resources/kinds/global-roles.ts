import * as z from 'zod';
import { GlobalRoleId } from '../../ids.ts';
import { Permission, PERMISSIONS } from '../../roles.ts';
import { kind } from '../kind.ts';
import { flagFilter, textFilter } from '../list.ts';
import { Description, Name } from '../metadata.ts';

const managers = { who: 'roles.manage', scope: 'anything' } as const;
const readers = { who: 'person', scope: 'reads' } as const;

// Unique, and in the order of the list, so that two roles that let the same look the same.
const permissions = z
  .array(Permission)
  .max(PERMISSIONS.length)
  .transform((given) => PERMISSIONS.filter((permission) => given.includes(permission)));

/** What somebody may do on the plane itself. Those that every plane has are listed with those that were made, and cannot be changed. */
export const GlobalRoleKind = kind({
  kind: 'GlobalRole',
  singular: 'role',
  plural: 'roles',
  path: '/v1/global-roles',
  id: GlobalRoleId,
  name: Name,
  renamable: true,
  spec: z.object({ permissions: z.array(Permission), description: z.string() }),
  create: z.strictObject({ permissions, description: Description.default('') }),
  patch: z.strictObject({ permissions: permissions.optional(), description: Description.optional() }),
  status: z.object({
    builtIn: z.boolean().describe('Every plane has it, from 1970 on, and nobody changes it'),
    users: z.int().min(0).describe('People who have it themselves, administrators by their account among them'),
    groups: z.int().min(0).describe('Groups that have it'),
  }),
  listing: {
    fields: {
      name: { filter: textFilter, sort: 'text' },
      createdAt: { sort: 'number' },
      builtIn: { filter: flagFilter },
    },
    order: 'name',
  },
  verbs: {
    list: { ...readers, summary: 'The global roles: those that every plane has, and those that were made' },
    get: { ...readers, summary: 'A global role' },
    create: { ...managers, summary: 'Make a global role, of permissions that the caller has' },
    patch: { ...managers, summary: 'Change a global role that was made; whoever has it follows at once' },
    delete: { ...managers, summary: 'Remove a global role that was made, with its bindings' },
  },
  actions: {},
  links: { bindings: '/v1/global-role-bindings?role={id}' },
});
