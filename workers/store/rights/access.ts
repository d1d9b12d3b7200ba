/**
 * Runs statements as one transaction. Whatever changes who may do what takes one of these as an argument and not the database's own batch, so that
 * nobody forgets to tell the clusters: `workers/access/commit.ts` makes the one that arms the dispatcher first.
 */
export type Commit = (statements: D1PreparedStatement[]) => Promise<D1Result[]>;

/** Which clusters' snapshots a change makes old. */
export type Touched =
  | { readonly cluster: string }
  | { readonly user: string }
  | { readonly group: string }
  | 'every cluster'
  | 'none';

/**
 * The statements that number a change: the counter rises, and every touched cluster is marked with the new value. A user touches the clusters
 * where they have a role, and all while they are an administrator; so these go before the removal of a user or of a membership, and after the making of one. A group (its
 * principal) touches the clusters where it has a role, and all while it makes administrators.
 */
export function touch(db: D1Database, touched: Touched): D1PreparedStatement[] {
  const bump = db.prepare('UPDATE access_counter SET value = value + 1');
  if (touched === 'none') return [bump];
  const mark = 'UPDATE clusters SET access_version = (SELECT value FROM access_counter)';
  if (touched === 'every cluster') return [bump, db.prepare(mark)];
  if ('group' in touched) {
    return [
      bump,
      db
        .prepare(
          `${mark} WHERE id IN (SELECT cluster_id FROM cluster_groups WHERE group_principal = ?1)
           OR EXISTS (SELECT 1 FROM global_role_bindings WHERE group_principal = ?1 AND role = 'administrator')`,
        )
        .bind(touched.group),
    ];
  }
  if ('cluster' in touched) return [bump, db.prepare(`${mark} WHERE id = ?1`).bind(touched.cluster)];
  return [
    bump,
    db
      .prepare(
        `${mark} WHERE id IN (SELECT cluster_id FROM cluster_roles WHERE user_id = ?1)
         OR EXISTS (SELECT 1 FROM administrators WHERE user_id = ?1)`,
      )
      .bind(touched.user),
  ];
}
