import * as z from 'zod';
import { plain } from '../audit/redact.ts';
import { UserId } from '../ids.ts';
import { endpoint, listOf, Moment } from './endpoint.ts';

/** Local names are plain: they are typed, logged and shown to clusters. Kept in lower case. */
export const Username = plain(
  z
    .string()
    .trim()
    .toLowerCase()
    .regex(
      /^[a-z0-9]([a-z0-9._@-]{0,62}[a-z0-9])?$/,
      'one to 64 of a-z, 0-9, ".", "_", "@", "-"; beginning and ending with a letter or digit',
    ),
);

/** Rancher's least; and no more than is sensible to hash. */
const MIN_PASSWORD = 12;
const MAX_PASSWORD = 256;

/** A password that is being set. */
export const NewPassword = z
  .string()
  .min(MIN_PASSWORD)
  .max(MAX_PASSWORD)
  .describe(`at least ${MIN_PASSWORD} characters`);

export const User = z.object({
  id: UserId,
  username: z.string(),
  administrator: z.boolean(),
  enabled: z.boolean(),
  passwordPending: z.boolean().describe('The password is a one-time password that was not changed yet'),
  createdAt: Moment,
});

const params = z.object({ user: UserId });

export const listUsers = endpoint({
  operation: 'listUsers',
  summary: 'All people',
  method: 'GET',
  path: '/v1/users',
  who: 'users.manage',
  scope: 'reads',
  status: 200,
  result: listOf(User),
  errors: [],
});

export const createUser = endpoint({
  operation: 'createUser',
  summary: 'Add a person, with a one-time password that they change at their first sign-in',
  method: 'POST',
  path: '/v1/users',
  who: 'users.manage',
  scope: 'anything',
  body: z.strictObject({ username: Username, password: NewPassword, administrator: z.boolean().default(false) }),
  status: 201,
  result: User,
  errors: ['conflict'],
});

export const getUser = endpoint({
  operation: 'getUser',
  summary: 'A person',
  method: 'GET',
  path: '/v1/users/{user}',
  who: 'users.manage',
  scope: 'reads',
  params,
  status: 200,
  result: User,
  errors: ['not_found'],
});

export const updateUser = endpoint({
  operation: 'updateUser',
  summary: 'Let a person in, or keep them out: their tokens stop working within seconds',
  method: 'PATCH',
  path: '/v1/users/{user}',
  who: 'users.manage',
  scope: 'anything',
  params,
  body: z.strictObject({ enabled: z.boolean() }),
  status: 200,
  result: User,
  errors: ['not_found', 'conflict'],
});

export const deleteUser = endpoint({
  operation: 'deleteUser',
  summary: 'Remove a person with their roles and tokens',
  method: 'DELETE',
  path: '/v1/users/{user}',
  who: 'users.manage',
  scope: 'anything',
  params,
  status: 204,
  errors: ['not_found', 'conflict'],
});
