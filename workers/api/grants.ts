import { OutriderError } from '#schema/errors.ts';
import { ADMINISTRATOR_ROLE, type Permission } from '#schema/roles.ts';
import { findCaller } from '../store/callers.ts';
import type { KnownCaller } from './handler.ts';

/**
 * Nobody gives, or takes, what they do not have; and only administrators make administrators, who are owners of every cluster besides.
 * @param role the id of the role that is given, where it is one
 * @throws OutriderError forbidden
 */
export function refuseMoreThanOwn(
  { facts }: KnownCaller,
  permissions: readonly Permission[],
  role: string | null = null,
): void {
  if (facts.administrator) return;
  if (role === ADMINISTRATOR_ROLE) throw new OutriderError('forbidden', 'only administrators decide who is one');
  const more = permissions.filter((permission) => !facts.permissions.has(permission));
  if (more.length > 0) {
    throw new OutriderError('forbidden', `you do not have this yourself: ${[...new Set(more)].join(', ')}`);
  }
}

/**
 * Whoever may manage people may not manage those who may do more: a new password for an administrator would make one of whoever sets it.
 * @throws OutriderError forbidden
 */
export async function refuseAbove(db: D1Database, caller: KnownCaller, user: string): Promise<void> {
  if (caller.facts.administrator || caller.principal.user === user) return;
  const theirs = await findCaller(db, { user, token: '', cluster: null });
  if (theirs === null) return;
  if (theirs.administrator) throw new OutriderError('forbidden', 'only administrators may change an administrator');
  refuseMoreThanOwn(caller, [...theirs.permissions]);
}
