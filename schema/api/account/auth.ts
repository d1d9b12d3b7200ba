import * as z from 'zod';
import { ClusterId, TokenId } from '../../ids.ts';
import { endpoint, Moment } from '../endpoint.ts';
import { NewPassword, User } from '../people/users.ts';

/** Longer than any name or password: keeps what is hashed small. */
export const MAX_TYPED = 256;

/** What somebody who shows their password may ask for. */
export const BrowserSession = z
  .boolean()
  .default(false)
  .describe('Begin a session of a browser: its token comes as a cookie that no script can read, and not in the answer');

/** What a person gets who has shown their password. */
export const Session = z.object({
  token: z.string().nullable().describe('Bearer token; shown once. null: it is in the cookie'),
  expiresAt: Moment,
  user: User,
});

export const signIn = endpoint({
  operation: 'signIn',
  summary:
    'Sign in with name and password; newPassword changes it, and ends every other session and token. A one-time password, and one that is too old, has to be changed',
  method: 'POST',
  path: '/v1/auth/local',
  who: 'anyone',
  scope: 'anything',
  body: z.strictObject({
    username: z.string().trim().min(1).max(MAX_TYPED),
    password: z.string().min(1).max(MAX_TYPED),
    newPassword: NewPassword.optional(),
    session: BrowserSession,
  }),
  status: 200,
  result: Session,
  errors: ['invalid_credentials', 'password_change_required', 'throttled', 'invalid', 'conflict'],
});

export const whoAmI = endpoint({
  operation: 'whoAmI',
  summary: 'Whom the token speaks for, and how far it goes',
  method: 'GET',
  path: '/v1/me',
  who: 'person',
  scope: 'self',
  status: 200,
  result: z.object({
    user: User,
    token: z.object({
      id: TokenId,
      expiresAt: Moment,
      cluster: ClusterId.nullable(),
      readOnly: z.boolean(),
    }),
  }),
  errors: [],
});
