import * as z from 'zod';
import { plain } from '../../audit/redact.ts';
import { endpoint, listOf, Moment } from '../endpoint.ts';
import { Principal } from './principals.ts';
import { ProviderConfig, ProviderId, ProviderSettings, ProviderTypeName } from './types.ts';

/** Who may sign in through a provider. */
export const Access = z.discriminatedUnion('mode', [
  z.strictObject({ mode: z.literal('anyone') }),
  z.strictObject({ mode: z.literal('groups'), principals: z.array(Principal).min(1).max(500) }),
  z.strictObject({ mode: z.literal('users'), principals: z.array(Principal).min(1).max(500) }),
]);
export type Access = z.output<typeof Access>;

/** Three days bridge an outage over a weekend; no token lives longer than 90 days. */
const UnconfirmedHours = z
  .int()
  .min(1)
  .max(90 * 24)
  .describe(
    'How long what the provider said of somebody holds when it cannot be asked; then their groups are taken, and their tokens end if they have no other way in',
  );
const DEFAULT_UNCONFIRMED_HOURS = 72;

const DisplayName = plain(z.string().trim().min(1).max(128));

export const Provider = z.object({
  id: ProviderId,
  displayName: z.string(),
  enabled: z.boolean(),
  access: Access,
  unconfirmedHours: UnconfirmedHours,
  config: ProviderSettings.describe('Without its secrets'),
  tested: z.boolean().describe('In its present form, with success'),
  testedAt: Moment.nullable(),
  callbackUrl: z.string().describe('What has to be registered at the provider'),
  createdAt: Moment,
  updatedAt: Moment,
});

const Test = z.object({
  ok: z.boolean(),
  checks: z.array(z.object({ name: z.string(), ok: z.boolean(), detail: z.string() })),
});

const params = z.object({ provider: ProviderId });

export const listEnabledProviders = endpoint({
  operation: 'listEnabledProviders',
  summary: 'Where one can sign in, for the sign-in page',
  method: 'GET',
  path: '/v1/auth/providers/enabled',
  who: 'anyone',
  scope: 'reads',
  status: 200,
  result: listOf(
    z.object({
      id: ProviderId,
      type: ProviderTypeName,
      displayName: z.string(),
      startPath: z.string().nullable().describe('Where a browser goes to sign in; takes returnTo. null: not so'),
      passwordPath: z.string().nullable().describe('Where a name and a password go. null: not so'),
    }),
  ),
  errors: [],
});

export const createProvider = endpoint({
  operation: 'createProvider',
  summary:
    'Add a sign-in provider; it is enabled once it was tested. One that a cluster asks, only an owner of that cluster may add',
  method: 'POST',
  path: '/v1/auth/providers',
  who: 'authentication.manage',
  scope: 'anything',
  body: z.strictObject({
    id: ProviderId,
    displayName: DisplayName,
    access: Access.default({ mode: 'anyone' }),
    unconfirmedHours: UnconfirmedHours.default(DEFAULT_UNCONFIRMED_HOURS),
    config: ProviderConfig,
  }),
  status: 201,
  result: Provider,
  errors: ['conflict', 'unknown_cluster'],
});

export const listProviders = endpoint({
  operation: 'listProviders',
  summary: 'All sign-in providers, without their secrets',
  method: 'GET',
  path: '/v1/auth/providers',
  who: 'authentication.manage',
  scope: 'reads',
  status: 200,
  result: listOf(Provider),
  errors: [],
});

export const getProvider = endpoint({
  operation: 'getProvider',
  summary: 'A sign-in provider, without its secrets',
  method: 'GET',
  path: '/v1/auth/providers/{provider}',
  who: 'authentication.manage',
  scope: 'reads',
  params,
  status: 200,
  result: Provider,
  errors: ['not_found'],
});

export const updateProvider = endpoint({
  operation: 'updateProvider',
  summary:
    'Change a sign-in provider. A secret that is left out stays. Where it is enabled, a new form is tested first; people whom new access shuts out lose their tokens',
  method: 'PATCH',
  path: '/v1/auth/providers/{provider}',
  who: 'administrator',
  scope: 'anything',
  params,
  body: z.strictObject({
    displayName: DisplayName.optional(),
    access: Access.optional(),
    unconfirmedHours: UnconfirmedHours.optional(),
    config: ProviderConfig.optional(),
  }),
  status: 200,
  result: Provider,
  errors: ['not_found', 'conflict', 'provider_untested', 'unknown_cluster'],
});

export const deleteProvider = endpoint({
  operation: 'deleteProvider',
  summary: 'Remove a sign-in provider with its principals and groups; people without another way in lose their tokens',
  method: 'DELETE',
  path: '/v1/auth/providers/{provider}',
  who: 'authentication.manage',
  scope: 'anything',
  params,
  status: 204,
  errors: ['not_found', 'conflict'],
});

export const testProvider = endpoint({
  operation: 'testProvider',
  summary: 'Try a configuration as far as can be told without a person; enables nothing',
  method: 'POST',
  path: '/v1/auth/providers/{provider}/test',
  who: 'authentication.manage',
  scope: 'anything',
  params,
  status: 200,
  result: Test,
  errors: ['not_found'],
});

export const enableProvider = endpoint({
  operation: 'enableProvider',
  summary: 'Let people sign in through a provider that was tested in its present form',
  method: 'POST',
  path: '/v1/auth/providers/{provider}/enable',
  who: 'authentication.manage',
  scope: 'anything',
  params,
  status: 200,
  result: Provider,
  errors: ['not_found', 'provider_untested'],
});

export const disableProvider = endpoint({
  operation: 'disableProvider',
  summary: 'Let nobody sign in through a provider; people without another way in lose their tokens',
  method: 'POST',
  path: '/v1/auth/providers/{provider}/disable',
  who: 'authentication.manage',
  scope: 'anything',
  params,
  status: 200,
  result: Provider,
  errors: ['not_found', 'conflict'],
});

export const reencryptSecrets = endpoint({
  operation: 'reencryptSecrets',
  summary: 'Seal secrets anew that an older key sealed, some at a time; the old key can go once none is left',
  method: 'POST',
  path: '/v1/setup/reencrypt',
  who: 'operator',
  scope: 'anything',
  status: 200,
  result: z.object({ reencrypted: z.int(), left: z.int() }),
  errors: [],
});
