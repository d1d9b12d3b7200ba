import * as z from 'zod';
import { signIn } from '../account/auth.ts';
import { endpoint } from '../endpoint.ts';
import { ProviderId } from './types.ts';

/** What a directory takes for a password is longer than what the plane's own people choose. */
export const MAX_DIRECTORY_PASSWORD = 1024;

export const signInWithProvider = endpoint({
  operation: 'signInWithProvider',
  summary: 'Sign in with the name and the password that somebody has at a directory',
  method: 'POST',
  path: '/v1/auth/providers/{provider}/password',
  who: 'anyone',
  scope: 'anything',
  params: z.object({ provider: ProviderId }),
  body: z.strictObject({
    username: signIn.body.shape.username,
    password: z.string().min(1).max(MAX_DIRECTORY_PASSWORD),
    session: signIn.body.shape.session,
  }),
  status: 200,
  result: signIn.result,
  errors: ['not_found', 'invalid_credentials', 'sign_in_refused', 'provider_unavailable', 'throttled', 'conflict'],
});
