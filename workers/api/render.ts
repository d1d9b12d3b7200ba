import type { z } from 'zod';
import { moment } from '#schema/api/endpoint.ts';
import type { Token as TokenResource } from '#schema/api/account/tokens.ts';
import type { User as UserResource } from '#schema/api/people/users.ts';
import type { TokenRow } from '../store/sign-in/tokens.ts';
import type { User } from '../store/users.ts';

const momentOrNull = (epochSeconds: number | null): string | null =>
  epochSeconds === null ? null : moment(epochSeconds);

export function renderUser(user: User): z.input<typeof UserResource> {
  const { id, username, administrator, enabled, passwordPending, createdAt } = user;
  return { id, username, administrator, enabled, passwordPending, createdAt: moment(createdAt) };
}

export function renderToken(token: TokenRow): z.input<typeof TokenResource> {
  const { id, kind, description, cluster, readOnly, createdAt, expiresAt, lastUsedAt, lastUsedFrom } = token;
  return {
    id,
    kind,
    description,
    cluster,
    readOnly,
    createdAt: moment(createdAt),
    expiresAt: moment(expiresAt),
    lastUsedAt: momentOrNull(lastUsedAt),
    lastUsedFrom,
  };
}
