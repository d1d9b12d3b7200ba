import * as z from 'zod';
import { BrowserSession, MAX_TYPED, Session } from './auth.ts';
import { endpoint } from '../endpoint.ts';
import { NewPassword } from '../people/users.ts';

export const changeMyPassword = endpoint({
  operation: 'changeMyPassword',
  summary: 'Choose another password; ends every session and token there is, and begins a session',
  method: 'PATCH',
  path: '/v1/me/password',
  who: 'person',
  scope: 'anything',
  body: z.strictObject({
    oldPassword: z.string().min(1).max(MAX_TYPED),
    newPassword: NewPassword,
    session: BrowserSession,
  }),
  status: 200,
  result: Session,
  errors: ['invalid_credentials', 'throttled', 'conflict'],
});
