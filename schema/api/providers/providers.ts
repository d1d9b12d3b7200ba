import * as z from 'zod';
import { endpoint, listOf } from '../endpoint.ts';
import { ProviderId, ProviderTypeName } from './types.ts';

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
