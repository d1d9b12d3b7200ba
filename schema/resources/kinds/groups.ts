import * as z from 'zod';
import { GroupId } from '../../ids.ts';
import { kind } from '../kind.ts';
import { textFilter } from '../list.ts';
import { Description, Name } from '../metadata.ts';

const managers = { who: 'users.manage', scope: 'anything' } as const;
const readers = { who: 'users.manage', scope: 'reads' } as const;

/** People who are put together here, and not at a provider. What a role is given to is its principal. */
export const GroupKind = kind({
  kind: 'Group',
  singular: 'group',
  plural: 'groups',
  path: '/v1/groups',
  id: GroupId,
  name: Name,
  renamable: true,
  spec: z.object({ description: z.string() }),
  create: z.strictObject({ description: Description.default('') }),
  patch: z.strictObject({ description: Description.optional() }),
  status: z.object({
    principal: z.string().describe('What the group is called wherever something is given to it'),
    members: z.int().min(0),
  }),
  listing: {
    fields: { name: { filter: textFilter, sort: 'text' }, createdAt: { sort: 'number' } },
    order: 'name',
  },
  verbs: {
    list: { ...readers, summary: 'The groups that are kept here' },
    get: { ...readers, summary: 'A group' },
    create: { ...managers, summary: 'Make a group, of nobody yet' },
    patch: { ...managers, summary: 'Give a group another name or description' },
    delete: { ...managers, summary: 'Remove a group; what its members had by it they lose within seconds' },
  },
  actions: {},
  links: { members: '/v1/groups/{id}/members' },
});
