import type { z } from 'zod';
import { moment } from '#schema/api/endpoint.ts';
import type { User as UserResource } from '#schema/api/people/users.ts';
import type { User } from '../store/users.ts';

export function renderUser(user: User): z.input<typeof UserResource> {
  const { id, username, administrator, enabled, passwordPending, createdAt } = user;
  return { id, username, administrator, enabled, passwordPending, createdAt: moment(createdAt) };
}
