import { replaceGroups } from '#workers/store/rights/groups.ts';

/** What a provider says of a person, which the plane keeps; makes them known to each other, and the provider an enabled one, where they are not. */
export function saysGroups(
  db: D1Database,
  { userId, source, groups, now }: { userId: string; source: string; groups: readonly string[]; now: number },
): D1PreparedStatement[] {
  return [
    db
      .prepare(
        `INSERT OR IGNORE INTO providers (id, type, display_name, enabled, settings, secrets, access_mode,
           access_principals, unconfirmed_hours, resource_version, generation, created_at)
         VALUES (?1, 'github', ?1, 1, '{}', '{}', 'anyone', '[]', 24, 1, 1, 0)`,
      )
      .bind(source),
    db
      .prepare(
        `INSERT OR IGNORE INTO user_principals (principal, user_id, provider, login_name, display_name, gone, created_at,
           confirmed_at, refresh_at)
         VALUES (?1 || '_user://' || ?2, ?2, ?1, ?2, ?2, 0, 0, 0, 0)`,
      )
      .bind(source, userId),
    ...replaceGroups(db, { userId, source, groups, now }),
  ];
}
