import * as z from 'zod';
import { GlobalRoleBindingId, GlobalRoleId, GroupPrincipal, UserId } from '../../ids.ts';
import { kind } from '../kind.ts';
import { textFilter } from '../list.ts';

const managers = { who: 'roles.manage', scope: 'anything' } as const;
const readers = { who: 'roles.manage', scope: 'reads' } as const;

const spec = z.object({ role: GlobalRoleId, user: UserId.nullable(), group: GroupPrincipal.nullable() });

/** That a person, or everybody in a group, has a global role. It is made and taken back, and never changed: what it says is what it is. */
export const GlobalRoleBindingKind = kind({
  kind: 'GlobalRoleBinding',
  singular: 'binding',
  plural: 'bindings',
  path: '/v1/global-role-bindings',
  id: GlobalRoleBindingId,
  name: null,
  renamable: false,
  spec,
  create: z
    .strictObject({
      role: GlobalRoleId,
      user: UserId.nullable().default(null),
      group: GroupPrincipal.nullable().default(null),
    })
    .refine(({ user, group }) => (user === null) !== (group === null), 'either user or group'),
  patch: z.strictObject({}),
  status: z.object({}),
  listing: {
    fields: {
      role: { filter: textFilter },
      user: { filter: textFilter },
      group: { filter: GroupPrincipal },
      createdAt: { sort: 'number' },
    },
    order: 'createdAt',
  },
  verbs: {
    list: {
      ...readers,
      summary: 'Who has which global role. Administrators by their account alone are marked there, and not listed here',
    },
    get: { ...readers, summary: 'A binding of a global role' },
    create: {
      ...managers,
      summary: 'Give a person, or everybody in a group, a global role; only one whose permissions the caller has',
      errors: ['not_found'],
    },
    delete: { ...managers, summary: 'Take a global role back' },
  },
  actions: {},
  links: {},
});
