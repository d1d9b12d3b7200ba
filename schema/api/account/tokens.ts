import * as z from 'zod';
import { ClusterId, TokenId, UserId } from '../../ids.ts';
import { flagFilter, listQuery, pageOf, type Listing } from '../../resources/list.ts';
import { clusterParams } from '../clusters/clusters.ts';
import { endpoint, Moment } from '../endpoint.ts';
import { LONGEST_TOKEN_SECONDS } from '../plane/settings.ts';

const DAY = 24 * 3600;
const MIN_TTL_SECONDS = 60;
/** For who names none; less where the setting `maxTokenTtlSeconds` is less. */
export const DEFAULT_TTL_SECONDS = 30 * DAY;

const ttl = z
  .int()
  .min(MIN_TTL_SECONDS)
  .max(LONGEST_TOKEN_SECONDS)
  .describe('Seconds, up to the setting maxTokenTtlSeconds; 30 days if none are named and the setting allows them');

/** Where a token came from. Only a session, which stands for a person at a sign-in form, may make tokens that outlive it. */
export const TokenKind = z.enum(['session', 'api', 'kubeconfig']);
export type TokenKind = z.infer<typeof TokenKind>;

export const Token = z.object({
  id: TokenId,
  kind: TokenKind,
  description: z.string(),
  cluster: ClusterId.nullable().describe('The one cluster it is good for; null: any that its person may reach'),
  readOnly: z.boolean(),
  createdAt: Moment,
  expiresAt: Moment,
  lastUsedAt: Moment.nullable().describe('To within several minutes; null: not used yet'),
  lastUsedFrom: z.string().nullable().describe('Address, of IPv6 the /64; null: not used yet, or not known'),
});

export const tokenListing = {
  fields: {
    kind: { filter: TokenKind },
    cluster: { filter: ClusterId },
    readOnly: { filter: flagFilter },
    createdAt: { sort: 'number' },
    expiresAt: { sort: 'number' },
  },
  order: '-createdAt',
} as const satisfies Listing;

export const createToken = endpoint({
  operation: 'createToken',
  summary: 'Make a token for oneself; one made with a token that is not a session ends with that token at the latest',
  method: 'POST',
  path: '/v1/tokens',
  who: 'person',
  scope: 'anything',
  body: z.strictObject({
    description: z.string().trim().max(256).default(''),
    ttlSeconds: ttl.optional(),
    cluster: ClusterId.nullable().default(null),
    readOnly: z.boolean().default(false),
  }),
  status: 201,
  result: Token.extend({ token: z.string().describe('Bearer token; shown once') }),
  errors: ['unknown_cluster', 'conflict', 'invalid'],
});

export const listTokens = endpoint({
  operation: 'listTokens',
  summary: "The caller's own tokens that are good now, without the tokens",
  method: 'GET',
  path: '/v1/tokens',
  who: 'person',
  scope: 'reads',
  query: listQuery(tokenListing),
  status: 200,
  result: pageOf(Token),
  errors: [],
});

export const deleteToken = endpoint({
  operation: 'deleteToken',
  summary: 'Take a token back: it stops working within seconds. Administrators may take anybody’s',
  method: 'DELETE',
  path: '/v1/tokens/{token}',
  who: 'person',
  scope: 'anything',
  params: z.object({ token: TokenId }),
  status: 204,
  errors: ['not_found'],
});

export const deleteOwnTokens = endpoint({
  operation: 'deleteOwnTokens',
  summary: 'Take all of one’s own tokens back, the one that asks among them, and end every session',
  method: 'DELETE',
  path: '/v1/tokens',
  who: 'person',
  scope: 'anything',
  status: 204,
  errors: ['not_found'],
});

const ofUser = z.object({ user: UserId });

export const listUserTokens = endpoint({
  operation: 'listUserTokens',
  summary: 'A person’s tokens that are good now, without the tokens',
  method: 'GET',
  path: '/v1/users/{user}/tokens',
  who: 'users.manage',
  scope: 'reads',
  params: ofUser,
  query: listQuery(tokenListing),
  status: 200,
  result: pageOf(Token),
  errors: ['not_found'],
});

export const deleteUserTokens = endpoint({
  operation: 'deleteUserTokens',
  summary: 'Take all tokens of a person back, and end every session of theirs',
  method: 'DELETE',
  path: '/v1/users/{user}/tokens',
  who: 'users.manage',
  scope: 'anything',
  params: ofUser,
  status: 204,
  errors: ['not_found', 'forbidden'],
});

export const getKubeconfig = endpoint({
  operation: 'getKubeconfig',
  summary: 'A kubeconfig for a cluster, with a new token of its own that is listed among the tokens',
  method: 'GET',
  path: '/v1/clusters/{cluster}/kubeconfig',
  who: 'cluster-member',
  // Reading it makes a credential.
  scope: 'anything',
  params: clusterParams,
  query: z.strictObject({
    ttl: z
      .string()
      .regex(/^\d{1,9}$/, 'a number of seconds')
      .transform(Number)
      .pipe(ttl)
      .optional(),
    readonly: z
      .enum(['true', 'false'])
      .transform((text) => text === 'true')
      .default(false),
  }),
  status: 200,
  media: 'application/yaml',
  errors: ['conflict', 'invalid'],
});
