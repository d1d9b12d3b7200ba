import { OutriderError } from '#schema/errors.ts';
import { ADMINISTRATOR_ROLE, type Permission } from '#schema/roles.ts';
import { findCaller } from '../store/rights/callers.ts';
import { groupGives } from '../store/rights/group-gives.ts';
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

/**
 * Whoever may manage groups may not manage one that gives its members more than they have: to put somebody in, themselves perhaps, would be to give it.
 * @param group a principal
 * @throws OutriderError forbidden
 */
export async function refuseStrongerGroup(db: D1Database, caller: KnownCaller, group: string): Promise<void> {
  if (caller.facts.administrator) return;
  const { permissions, administrator, clusters } = await groupGives(db, group);
  refuseMoreThanOwn(caller, permissions, administrator ? ADMINISTRATOR_ROLE : null);
  if (clusters) throw new OutriderError('forbidden', 'only administrators manage a group that has a role in a cluster');
}
