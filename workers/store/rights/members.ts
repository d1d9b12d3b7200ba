import * as z from 'zod';
import { Role } from '#schema/access.ts';
import { touch, type Commit } from './access.ts';
import { revokeLostRegistrationTokens } from '../registration-tokens.ts';
import { all, changes } from '../rows.ts';

const Row = z.object({ user_id: z.string(), username: z.string(), role: Role });

/** Somebody's role in a cluster. */
export interface Member {
  readonly user: string;
  readonly username: string;
  readonly role: Role;
}

export async function listMembers(db: D1Database, clusterId: string): Promise<Member[]> {
  const rows = await all(
    db
      .prepare(
        `SELECT m.user_id, users.username, m.role FROM cluster_members AS m JOIN users ON users.id = m.user_id
         WHERE m.cluster_id = ?1 ORDER BY users.username`,
      )
      .bind(clusterId),
    Row,
  );
  return rows.map((row) => ({ user: row.user_id, username: row.username, role: row.role }));
}

/** Gives a person a role, instead of the one they had. */
export async function setMember(
  db: D1Database,
  commit: Commit,
  member: { clusterId: string; userId: string; role: Role; now: number },
): Promise<void> {
  await commit([
    db
      .prepare(
        `INSERT INTO cluster_members (cluster_id, user_id, role, created_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (cluster_id, user_id) DO UPDATE SET role = excluded.role`,
      )
      .bind(member.clusterId, member.userId, member.role, member.now),
    revokeLostRegistrationTokens(db, member.userId, member.now),
    ...touch(db, { cluster: member.clusterId }),
  ]);
}

/** Takes a person's role. False: they had none. */
export async function removeMember(
  db: D1Database,
  commit: Commit,
  member: { clusterId: string; userId: string; now: number },
): Promise<boolean> {
  const [removed] = await commit([
    db
      .prepare('DELETE FROM cluster_members WHERE cluster_id = ?1 AND user_id = ?2')
      .bind(member.clusterId, member.userId),
    revokeLostRegistrationTokens(db, member.userId, member.now),
    ...touch(db, { cluster: member.clusterId }),
  ]);
  return changes(removed) === 1;
}
