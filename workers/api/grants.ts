import { OutriderError } from '#schema/errors.ts';
import { ADMINISTRATOR_ROLE, type Permission } from '#schema/roles.ts';
import { groupGives, rolesGive } from '../store/rights/group-gives.ts';
import { strongerSomewhere } from '../store/rights/stronger.ts';
import { findUser } from '../store/users.ts';
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
  const [account, theirs] = [await findUser(db, user), await rolesGive(db, user)];
  if (account === null) return;
  if (account.administrator || theirs.administrator)
    throw new OutriderError('forbidden', 'only administrators may change an administrator');
  refuseMoreThanOwn(caller, theirs.permissions);
}

/**
 * Whoever may manage people may give nobody access, by a password or by letting them in again, to an account that does more in some cluster than their own: they could come in as it. To take
 * access away stays theirs, since otherwise they could keep out hardly anybody. Asked before the write and not in it: a role that is given in between comes to the same as one that is given after it.
 * @throws OutriderError forbidden
 */
export async function refuseStrongerInCluster(db: D1Database, caller: KnownCaller, user: string): Promise<void> {
  if (caller.facts.administrator) return;
  if (await strongerSomewhere(db, { user, than: caller.principal.user })) {
    throw new OutriderError(
      'forbidden',
      'they have a role in a cluster where yours is weaker, or where you have none; an administrator may do this',
    );
  }
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
