-- Roles that somebody made; those that every plane has are in schema/roles.ts. `permissions`: a JSON array.
CREATE TABLE global_roles (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL COLLATE NOCASE UNIQUE,
  permissions TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

-- `role`: an id of global_roles, or of a role that every plane has; so no reference, and who removes a role removes its bindings.
CREATE TABLE global_role_bindings (
  id TEXT PRIMARY KEY,
  role TEXT NOT NULL,
  user_id TEXT REFERENCES users (id) ON DELETE CASCADE,
  group_principal TEXT,
  created_at INTEGER NOT NULL,
  CHECK ((user_id IS NULL) <> (group_principal IS NULL)),
  UNIQUE (role, user_id),
  UNIQUE (role, group_principal)
) STRICT;
CREATE INDEX global_role_bindings_by_user ON global_role_bindings (user_id);
CREATE INDEX global_role_bindings_by_group ON global_role_bindings (group_principal);

-- The roles that somebody has, by themselves or by a group.
CREATE VIEW user_global_roles (user_id, role) AS
SELECT user_id, role FROM global_role_bindings WHERE user_id IS NOT NULL
UNION
SELECT u.user_id, b.role FROM global_role_bindings AS b JOIN user_groups AS u ON u.group_principal = b.group_principal;

-- Whoever is an administrator by whatever way.
CREATE VIEW administrators (user_id) AS
SELECT id FROM users WHERE administrator = 1
UNION
SELECT user_id FROM user_global_roles WHERE role = 'administrator';
