import * as z from 'zod';
import { Moment } from '../../api/endpoint.ts';
import { NewPassword, Username } from '../../api/people/users.ts';
import { UserId } from '../../ids.ts';
import { kind } from '../kind.ts';
import { flagFilter, textFilter } from '../list.ts';

const managers = { who: 'users.manage', scope: 'anything' } as const;
const readers = { who: 'users.manage', scope: 'reads' } as const;

const spec = z.object({
  administrator: z.boolean().describe('Owner of every cluster, and of the plane'),
  enabled: z.boolean().describe('Whether they may sign in, and whether their tokens work'),
});

/** People who sign in. Their condition is `Active`: they can sign in and need change no password first. */
export const UserKind = kind({
  kind: 'User',
  singular: 'user',
  plural: 'users',
  path: '/v1/users',
  id: UserId,
  name: Username,
  renamable: false,
  spec,
  create: z.strictObject({
    administrator: z.boolean().default(false),
    enabled: z.boolean().default(true),
    password: NewPassword.describe('For one use: they choose their own at their first sign-in'),
  }),
  patch: z.strictObject(spec.partial().shape),
  status: z.object({
    passwordPending: z.boolean().describe('The password is a one-time password that was not changed yet'),
    passwordChangedAt: Moment.nullable().describe('When the password was set; null: they have none here'),
    passwordExpiresAt: Moment.nullable().describe(
      'When it has to be changed at the next sign-in with it (the setting maxPasswordAgeSeconds); null: never. By itself it changes neither the version nor any session',
    ),
  }),
  listing: {
    fields: {
      name: { filter: textFilter.toLowerCase(), sort: 'text' },
      createdAt: { sort: 'number' },
      passwordChangedAt: { sort: 'number' },
      administrator: { filter: flagFilter },
      enabled: { filter: flagFilter },
    },
    order: 'name',
  },
  verbs: {
    list: { ...readers, summary: 'All people' },
    get: { ...readers, summary: 'A person' },
    create: { ...managers, summary: 'Add a person, with a one-time password that they change at their first sign-in' },
    patch: {
      ...managers,
      summary:
        'Let a person in or keep them out, whose tokens then stop working within seconds; make them an administrator or take that. Only an administrator lets in somebody with a stronger role in a cluster than their own',
    },
    delete: { ...managers, summary: 'Remove a person with their roles, groups and tokens' },
  },
  actions: {
    'reset-password': {
      ...managers,
      operation: 'resetUserPassword',
      summary:
        'Give a person a one-time password in place of their own; ends every session and token of theirs. Only an administrator gives one to somebody with a stronger role in a cluster than their own',
      body: z.strictObject({ password: NewPassword }),
    },
  },
  links: { groups: '/v1/users/{id}/groups', tokens: '/v1/users/{id}/tokens' },
});
