import * as z from 'zod';
import { UserId } from '../../ids.ts';
import { clusterParams } from '../clusters/clusters.ts';
import { endpoint } from '../endpoint.ts';
import { LONGEST_TOKEN_SECONDS } from '../plane/settings.ts';

const DAY = 24 * 3600;
const MIN_TTL_SECONDS = 60;
/** For who names none; less where the setting `maxTokenTtlSeconds` is less. */
export const DEFAULT_TTL_SECONDS = 30 * DAY;

/** How long a token is to live. */
export const Ttl = z
  .int()
  .min(MIN_TTL_SECONDS)
  .max(LONGEST_TOKEN_SECONDS)
  .describe('Seconds, up to the setting maxTokenTtlSeconds; 30 days if none are named and the setting allows them');

/** Where a token came from. Only a session, which stands for a person at a sign-in form, may make tokens that outlive it. */
export const TokenType = z.enum(['session', 'api', 'kubeconfig']);
export type TokenType = z.infer<typeof TokenType>;

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

export const deleteUserTokens = endpoint({
  operation: 'deleteUserTokens',
  summary: 'Take all tokens of a person back, and end every session of theirs',
  method: 'DELETE',
  path: '/v1/users/{user}/tokens',
  who: 'users.manage',
  scope: 'anything',
  params: z.object({ user: UserId }),
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
      .pipe(Ttl)
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
