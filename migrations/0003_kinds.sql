-- What every resource has beside its own: see schema/resources/metadata.ts. `finalizers`: a JSON array. Every statement that changes what is shown of a row
-- raises its resource_version; one that changes its spec, its generation too.
ALTER TABLE users ADD COLUMN generation INTEGER NOT NULL DEFAULT 1;
ALTER TABLE users ADD COLUMN resource_version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE users ADD COLUMN finalizers TEXT NOT NULL DEFAULT '[]';
ALTER TABLE users ADD COLUMN deleted_at INTEGER;
-- When it last changed whether they can sign in, and when their password was set.
ALTER TABLE users ADD COLUMN active_changed_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN password_changed_at INTEGER NOT NULL DEFAULT 0;
UPDATE users SET active_changed_at = created_at, password_changed_at = created_at;
CREATE INDEX users_by_creation ON users (created_at, id);
CREATE INDEX clusters_by_creation ON clusters (created_at, id);

-- Groups that are kept here; those of a provider are known by their members alone.
CREATE TABLE local_groups (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL COLLATE NOCASE UNIQUE,
  description TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  generation INTEGER NOT NULL DEFAULT 1,
  resource_version INTEGER NOT NULL DEFAULT 1,
  finalizers TEXT NOT NULL DEFAULT '[]',
  deleted_at INTEGER
) STRICT;
