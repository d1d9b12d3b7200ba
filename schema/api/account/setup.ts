import * as z from 'zod';
import { endpoint } from '../endpoint.ts';
import { NewPassword, User, Username } from '../people/users.ts';

export const setUpAdministrator = endpoint({
  operation: 'setUpAdministrator',
  summary: 'Make the first administrator, with a one-time password; changes nothing once there is an administrator',
  method: 'PUT',
  path: '/v1/setup/administrator',
  who: 'operator',
  scope: 'anything',
  body: z.strictObject({ username: Username, password: NewPassword }),
  status: 200,
  result: z.object({
    user: User,
    created: z.boolean(),
    passwordPending: z.boolean().describe('The one-time password was not changed yet'),
  }),
  errors: ['conflict'],
});

export const resetPassword = endpoint({
  operation: 'resetPassword',
  summary:
    'Give an administrator a one-time password in place of a lost one: lets them in again, and ends every session and token of theirs',
  method: 'POST',
  path: '/v1/setup/password',
  who: 'operator',
  scope: 'anything',
  body: z.strictObject({ username: Username, password: NewPassword }),
  status: 200,
  result: z.object({ user: User }),
  errors: ['not_found'],
});
