-- The groups that somebody is in as far as they count: what a provider said counts while it is enabled, and again once it is. Those that are kept here ('local') always do.
CREATE VIEW standing_groups (user_id, group_principal) AS
SELECT user_id, group_principal FROM user_groups
WHERE source = 'local' OR EXISTS (SELECT 1 FROM providers WHERE providers.id = user_groups.source AND providers.enabled = 1);

DROP VIEW cluster_roles;
DROP VIEW administrators;
DROP VIEW user_global_roles;

-- What somebody is in a cluster, by themselves or by a group: the strongest of their roles.
CREATE VIEW cluster_roles (cluster_id, user_id, role) AS
SELECT cluster_id, user_id, CASE max(strength) WHEN 3 THEN 'owner' WHEN 2 THEN 'member' ELSE 'read-only' END
FROM (
  SELECT cluster_id, user_id, CASE role WHEN 'owner' THEN 3 WHEN 'member' THEN 2 ELSE 1 END AS strength
  FROM cluster_members
  UNION ALL
  SELECT g.cluster_id, u.user_id, CASE g.role WHEN 'owner' THEN 3 WHEN 'member' THEN 2 ELSE 1 END
  FROM cluster_groups AS g JOIN standing_groups AS u ON u.group_principal = g.group_principal
)
GROUP BY cluster_id, user_id;

-- The roles that somebody has, by themselves or by a group.
CREATE VIEW user_global_roles (user_id, role) AS
SELECT user_id, role FROM global_role_bindings WHERE user_id IS NOT NULL
UNION
SELECT u.user_id, b.role FROM global_role_bindings AS b JOIN standing_groups AS u ON u.group_principal = b.group_principal;

-- Whoever is an administrator by whatever way.
CREATE VIEW administrators (user_id) AS
SELECT id FROM users WHERE administrator = 1
UNION
SELECT user_id FROM user_global_roles WHERE role = 'administrator';
