-- Who is in which group, as the provider named in `source` said last. A group is its principal: `<provider>_group://<id>` (schema/ids.ts).
CREATE TABLE user_groups (
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  group_principal TEXT NOT NULL,
  source TEXT NOT NULL,
  PRIMARY KEY (user_id, group_principal)
) STRICT, WITHOUT ROWID;
CREATE INDEX user_groups_by_group ON user_groups (group_principal);

-- SQLite cannot change a CHECK: the table is made anew, with one more role.
CREATE TABLE cluster_members_new (
  cluster_id TEXT NOT NULL REFERENCES clusters (id) ON DELETE CASCADE,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  role TEXT NOT NULL CHECK (role IN ('owner', 'member', 'read-only')),
  created_at INTEGER NOT NULL,
  PRIMARY KEY (cluster_id, user_id)
) STRICT, WITHOUT ROWID;
INSERT INTO cluster_members_new SELECT * FROM cluster_members;
DROP TABLE cluster_members;
ALTER TABLE cluster_members_new RENAME TO cluster_members;
CREATE INDEX cluster_members_by_user ON cluster_members (user_id);

-- As cluster_members, for all who are in a group. The group need not be known: a provider may name it later.
CREATE TABLE cluster_groups (
  cluster_id TEXT NOT NULL REFERENCES clusters (id) ON DELETE CASCADE,
  group_principal TEXT NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('owner', 'member', 'read-only')),
  created_at INTEGER NOT NULL,
  PRIMARY KEY (cluster_id, group_principal)
) STRICT, WITHOUT ROWID;
CREATE INDEX cluster_groups_by_group ON cluster_groups (group_principal);

-- What somebody is in a cluster, by themselves or by a group: the strongest of their roles.
CREATE VIEW cluster_roles (cluster_id, user_id, role) AS
SELECT cluster_id, user_id, CASE max(strength) WHEN 3 THEN 'owner' WHEN 2 THEN 'member' ELSE 'read-only' END
FROM (
  SELECT cluster_id, user_id, CASE role WHEN 'owner' THEN 3 WHEN 'member' THEN 2 ELSE 1 END AS strength
  FROM cluster_members
  UNION ALL
  SELECT g.cluster_id, u.user_id, CASE g.role WHEN 'owner' THEN 3 WHEN 'member' THEN 2 ELSE 1 END
  FROM cluster_groups AS g JOIN user_groups AS u ON u.group_principal = g.group_principal
)
GROUP BY cluster_id, user_id;
