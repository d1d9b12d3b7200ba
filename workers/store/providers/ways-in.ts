import { END_TOKENS, NO_PASSWORD } from '../users.ts';

/** SQL of what decides on access: a provider's own columns, or what is about to take their place. */
interface AccessSql {
  readonly mode: string;
  readonly principals: string;
}

const AS_IT_IS: AccessSql = { mode: 'providers.access_mode', principals: 'providers.access_principals' };

/** SQL: true of a row `way` of `user_principals` whose provider is enabled and lets it in. */
export function admitted(way: string, { mode, principals }: AccessSql = AS_IT_IS): string {
  const listed = `(SELECT value FROM json_each(${principals}))`;
  return `EXISTS (SELECT 1 FROM providers WHERE providers.id = ${way}.provider AND providers.enabled = 1 AND ${way}.gone = 0 AND (
    ${mode} = 'anyone'
    OR ${mode} = 'users' AND ${way}.principal IN ${listed}
    OR ${mode} = 'groups' AND EXISTS (SELECT 1 FROM user_groups WHERE user_groups.user_id = ${way}.user_id
      AND user_groups.source = ${way}.provider AND user_groups.group_principal IN ${listed})))`;
}

/** SQL: true of a row `user` of `users` who has a password, or is let in through a principal of which `which` is true. */
function hasWayIn(user: string, which = admitted('way')): string {
  return `(${user}.password_hash <> '${NO_PASSWORD}'
    OR EXISTS (SELECT 1 FROM user_principals AS way WHERE way.user_id = ${user}.id AND ${which}))`;
}

/** SQL: true of a row `user` of `users` who is an administrator by their own account, and not kept out. */
const isAdministrator = (user: string): string => `(${user}.administrator = 1 AND ${user}.enabled = 1)`;

/**
 * SQL: true of a row of `users` that may stop being an administrator who can sign in. The last with a password here stays, whoever could come in through a provider: a directory that is down, or gone, must not
 * lock everybody out. A one-time password is one, and so is one that is too old: both let in whoever changes them. Where no administrator has a password (planes of old), the last who is let in through a
 * provider stays. Administrators by a group or a binding count for nothing: those go without asking.
 */
export const NOT_LAST_ADMINISTRATOR = `(NOT ${isAdministrator('users')}
  OR EXISTS (SELECT 1 FROM users AS other WHERE other.id <> users.id AND ${isAdministrator('other')}
    AND (other.password_hash <> '${NO_PASSWORD}' OR users.password_hash = '${NO_PASSWORD}' AND ${hasWayIn('other')})))`;

/** SQL: an administrator can still sign in, if principals count of which `which` is true (of a row `way`). */
export const administratorRemains = (which: string): string =>
  `EXISTS (SELECT 1 FROM users AS other
    WHERE ${isAdministrator('other')} AND ${hasWayIn('other', which)})`;

/** Ends the tokens of those with a principal at a provider who have no way in, as the statements before it in the same batch left it. */
export function endTokensOfShutOut(
  db: D1Database,
  { provider, now }: { provider: string; now: number },
): D1PreparedStatement {
  return db
    .prepare(
      `UPDATE users SET ${END_TOKENS}
       WHERE id IN (SELECT user_id FROM user_principals WHERE provider = ?1) AND NOT ${hasWayIn('users')}`,
    )
    .bind(provider, now);
}

/** As {@link endTokensOfShutOut}, for one person. */
export function endTokensIfShutOut(
  db: D1Database,
  { userId, now }: { userId: string; now: number },
): D1PreparedStatement {
  return db.prepare(`UPDATE users SET ${END_TOKENS} WHERE id = ?1 AND NOT ${hasWayIn('users')}`).bind(userId, now);
}
