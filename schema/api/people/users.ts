import * as z from 'zod';
import { plain } from '../../audit/redact.ts';
import { UserId } from '../../ids.ts';
import { Moment } from '../endpoint.ts';

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

/** A person, as a sign-in shows them; the resource is in `schema/resources/kinds/users.ts`. */
export const User = z.object({
  id: UserId,
  username: z.string(),
  administrator: z.boolean(),
  enabled: z.boolean(),
  passwordPending: z.boolean().describe('The password is a one-time password that was not changed yet'),
  createdAt: Moment,
});
