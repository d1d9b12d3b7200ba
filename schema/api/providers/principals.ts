import * as z from 'zod';
import { plain } from '../../audit/redact.ts';
import { UserId } from '../../ids.ts';
import { endpoint, listOf, Moment } from '../endpoint.ts';
import { ProviderId } from './types.ts';

/** Fits a Kubernetes group name in an access snapshot. */
const MAX_PRINCIPAL = 256;

/** `<provider>_<kind>://<id>`: who somebody, or what a group, is at a provider. */
export const Principal = plain(
  z
    .string()
    .max(MAX_PRINCIPAL)
    .regex(/^[a-z][a-z0-9]{0,30}_[a-z]{1,16}:\/\/[\x21-\x7e]+$/, '<provider>_<kind>://<id> is expected'),
);

/** The provider that a principal is of. */
export const providerOf = (principal: string): string => principal.slice(0, principal.indexOf('_'));

const UserPrincipal = z.object({
  principal: Principal,
  provider: z.string(),
  loginName: z.string(),
  displayName: z.string(),
  gone: z.boolean().describe('The provider says that they are gone, or may not be asked about them any more'),
  confirmedAt: Moment.describe('When their groups were last known to be right'),
});

const params = z.object({ user: UserId });

export const listUserPrincipals = endpoint({
  operation: 'listUserPrincipals',
  summary: 'Who a person is at the sign-in providers',
  method: 'GET',
  path: '/v1/users/{user}/principals',
  who: 'administrator',
  scope: 'reads',
  params,
  status: 200,
  result: listOf(UserPrincipal),
  errors: ['not_found'],
});

export const joinUserPrincipal = endpoint({
  operation: 'joinUserPrincipal',
  summary: 'Join somebody at a provider to a person, who may then sign in there; one at each provider',
  method: 'POST',
  path: '/v1/users/{user}/principals',
  who: 'administrator',
  scope: 'anything',
  params,
  body: z.strictObject({ principal: Principal, loginName: plain(z.string().trim().max(256)).default('') }),
  status: 201,
  result: UserPrincipal,
  errors: ['not_found', 'conflict'],
});

export const removeUserPrincipal = endpoint({
  operation: 'removeUserPrincipal',
  summary:
    'Take a principal from a person, with the groups that came of it; their tokens end if it was their last way in',
  method: 'DELETE',
  path: '/v1/users/{user}/principals',
  who: 'administrator',
  scope: 'anything',
  params,
  query: z.strictObject({ principal: Principal }),
  status: 204,
  errors: ['not_found', 'conflict'],
});

export const refreshUser = endpoint({
  operation: 'refreshUser',
  summary: "Ask the providers now for a person's groups",
  method: 'POST',
  path: '/v1/users/{user}/refresh',
  who: 'administrator',
  scope: 'anything',
  params,
  status: 200,
  result: listOf(
    z.object({
      principal: Principal,
      outcome: z
        .enum(['confirmed', 'gone', 'cannot_ask', 'unavailable'])
        .describe('cannot_ask: until the person signs in again, the provider tells nothing of them'),
      detail: z.string(),
    }),
  ),
  errors: ['not_found'],
});

export const searchPrincipals = endpoint({
  operation: 'searchPrincipals',
  summary: 'Search people and groups at a provider',
  method: 'GET',
  path: '/v1/principals',
  who: 'administrator',
  scope: 'reads',
  query: z.strictObject({ provider: ProviderId, query: plain(z.string().trim().min(1).max(128)) }),
  status: 200,
  result: listOf(
    z.object({ principal: Principal, kind: z.enum(['user', 'group']), name: z.string(), displayName: z.string() }),
  ),
  errors: ['not_found', 'provider_unavailable'],
});
