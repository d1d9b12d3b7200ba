import * as z from 'zod';
import type { listGroupMembers, listUserGroups } from '#schema/api/people/group-members.ts';
import type { ListRequest } from '#schema/resources/list.ts';
import { touch } from '../rights/access.ts';
import { principalOf } from './groups.ts';
import { listPage, type Page } from './common/list.ts';
import { revokeLostRegistrationTokens } from '../registration-tokens.ts';
import type { Writing } from './common/stored.ts';
import { changes } from '../rows.ts';

/**
 * Groups of one person that are kept here. A snapshot holds a thousand groups of a person at most (`schema/access.ts`), and each goes along with every request of
 * theirs; the rest is for what providers say.
 */
export const MAX_LOCAL_GROUPS = 256;

const Member = z.object({ user_id: z.string(), username: z.string() });

/** Who is in a group, by whichever source. */
export async function listMembersOf(
  db: D1Database,
  groupId: string,
  request: ListRequest,
): Promise<Page<z.input<(typeof listGroupMembers)['result']>['items'][number]>> {
  const source = {
    from: 'user_groups AS m JOIN users ON users.id = m.user_id',
    columns: 'm.user_id, users.username',
    row: Member.transform((row) => ({ user: row.user_id, username: row.username })),
    id: 'm.user_id',
    fields: { username: 'users.username' },
    where: { condition: 'm.group_principal = ?', values: [principalOf(groupId)] },
  };
  return await listPage(db, source, request);
}

const Membership = z.object({ group_principal: z.string(), source: z.string() });

/** All groups of a person, of every source. */
export async function listGroupsOf(
  db: D1Database,
  userId: string,
  request: ListRequest,
): Promise<Page<z.input<(typeof listUserGroups)['result']>['items'][number]>> {
  const source = {
    from: 'user_groups',
    columns: 'group_principal, source',
    row: Membership.transform((row) => ({ principal: row.group_principal, source: row.source })),
    id: 'group_principal',
    fields: { principal: 'group_principal', source: 'source' },
    where: { condition: 'user_id = ?', values: [userId] },
  };
  return await listPage(db, source, request);
}

const Facts = z.object({ group_there: z.int(), user_there: z.int(), member: z.int() });

/**
 * Puts a person into a group that is kept here; who is in it stays. `gone`: the group is not there, or is being removed. `nobody`: there is no such person. `full`: they
 * are in {@link MAX_LOCAL_GROUPS} already.
 */
export async function addGroupMember(
  { db, commit }: Writing,
  { groupId, userId }: { groupId: string; userId: string },
): Promise<'done' | 'gone' | 'nobody' | 'full'> {
  const group = principalOf(groupId);
  const results = await commit([
    db
      .prepare(
        `INSERT OR IGNORE INTO user_groups (user_id, group_principal, source)
         SELECT users.id, ?2, 'local' FROM users, local_groups
         WHERE users.id = ?1 AND local_groups.id = ?3 AND local_groups.deleted_at IS NULL
           AND (SELECT count(*) FROM user_groups WHERE user_id = ?1 AND source = 'local') < ${MAX_LOCAL_GROUPS}`,
      )
      .bind(userId, group, groupId),
    ...touch(db, { user: userId }),
    db
      .prepare(
        `SELECT EXISTS (SELECT 1 FROM local_groups WHERE id = ?3 AND deleted_at IS NULL) AS group_there,
           EXISTS (SELECT 1 FROM users WHERE id = ?1) AS user_there,
           EXISTS (SELECT 1 FROM user_groups WHERE user_id = ?1 AND group_principal = ?2) AS member`,
      )
      .bind(userId, group, groupId),
  ]);
  const [facts] = z.tuple([Facts]).parse(results.at(-1)?.results);
  if (facts.group_there === 0) return 'gone';
  if (facts.user_there === 0) return 'nobody';
  return facts.member === 1 ? 'done' : 'full';
}

/** Takes a person out of a group that is kept here. False: they were not in it. */
export async function removeGroupMember(
  { db, commit, now }: Writing,
  { groupId, userId }: { groupId: string; userId: string },
): Promise<boolean> {
  const touched = touch(db, { user: userId });
  const results = await commit([
    // First, while the clusters that they have by the group can still be found.
    ...touched,
    db
      .prepare('DELETE FROM user_groups WHERE user_id = ?1 AND group_principal = ?2')
      .bind(userId, principalOf(groupId)),
    revokeLostRegistrationTokens(db, userId, now),
  ]);
  return changes(results[touched.length]) > 0;
}
