import * as z from 'zod';
import { TokenType, Ttl } from '../../api/account/tokens.ts';
import { Moment } from '../../api/endpoint.ts';
import { ClusterId, TokenId, UserId } from '../../ids.ts';
import { kind } from '../kind.ts';
import { flagFilter } from '../list.ts';

const own = { who: 'person', scope: 'reads' } as const;

/** What somebody has made, or signed in with: a bearer token's description, and never the token. Those that are good now; one that is taken back is gone. */
export const TokenKind = kind({
  kind: 'Token',
  singular: 'token',
  plural: 'tokens',
  path: '/v1/tokens',
  id: TokenId,
  name: null,
  renamable: false,
  spec: z.object({
    description: z.string(),
    cluster: ClusterId.nullable().describe('The one cluster it is good for; null: any that its person may reach'),
    readOnly: z.boolean(),
  }),
  create: z.strictObject({
    description: z.string().trim().max(256).default(''),
    ttlSeconds: Ttl.optional(),
    cluster: ClusterId.nullable().default(null),
    readOnly: z.boolean().default(false),
  }),
  once: z.object({ token: z.string().describe('Bearer token; shown once') }),
  patch: z.strictObject({}),
  status: z.object({
    type: TokenType,
    user: UserId.describe('Whose it is'),
    expiresAt: Moment,
    lastUsedAt: Moment.nullable().describe('To within several minutes; null: not used yet'),
    lastUsedFrom: z.string().nullable().describe('Address, of IPv6 the /64; null: not used yet, or not known'),
  }),
  listing: {
    fields: {
      type: { filter: TokenType },
      cluster: { filter: ClusterId },
      readOnly: { filter: flagFilter },
      createdAt: { sort: 'number' },
      expiresAt: { sort: 'number' },
    },
    order: '-createdAt',
  },
  verbs: {
    list: { ...own, summary: "The caller's own tokens that are good now, without the tokens" },
    get: { ...own, summary: 'A token of one’s own that is good now, without the token. Administrators see anybody’s' },
    create: {
      who: 'person',
      scope: 'anything',
      summary:
        'Make a token for oneself; one made with a token that is not a session ends with that token at the latest',
      errors: ['unknown_cluster', 'invalid'],
    },
    delete: {
      who: 'person',
      scope: 'anything',
      summary: 'Take a token back: it stops working within seconds. Administrators may take anybody’s',
    },
  },
  lists: {
    ofUser: {
      who: 'users.manage',
      scope: 'reads',
      operation: 'listUserTokens',
      path: '/v1/users/{user}/tokens',
      params: z.object({ user: UserId }),
      summary: 'A person’s tokens that are good now, without the tokens',
      errors: ['not_found'],
    },
  },
  actions: {},
  links: {},
});
