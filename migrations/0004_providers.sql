-- Where people sign in besides a password here; the groups that it tells are in user_groups. Moments are epoch seconds.

CREATE TABLE providers (
  -- Chosen by the administrator; begins every principal of the provider.
  id TEXT PRIMARY KEY,
  type TEXT NOT NULL,
  display_name TEXT NOT NULL,
  enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
  -- JSON, as the type has it; and its secrets, sealed JSON.
  settings TEXT NOT NULL,
  secrets TEXT NOT NULL,
  access_mode TEXT NOT NULL CHECK (access_mode IN ('anyone', 'groups', 'users')),
  -- JSON array of principals: the groups or users that the access mode speaks of.
  access_principals TEXT NOT NULL,
  -- How long what the provider said of somebody holds when it cannot be asked.
  unconfirmed_hours INTEGER NOT NULL,
  -- Rises with every edit, so that of two made at once one holds.
  revision INTEGER NOT NULL,
  -- Rises with every change of settings or secrets; and the form that was last tested with success.
  form INTEGER NOT NULL,
  tested_form INTEGER,
  tested_at INTEGER,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;

-- Who a person is at a provider; at most one at each.
CREATE TABLE user_principals (
  principal TEXT PRIMARY KEY,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  provider TEXT NOT NULL REFERENCES providers (id) ON DELETE CASCADE,
  login_name TEXT NOT NULL,
  display_name TEXT NOT NULL,
  -- What the provider can be asked with about this person, sealed; null: nothing.
  refresh_grant TEXT,
  -- 1: the provider says that they are gone, or that the plane may not ask any more.
  gone INTEGER NOT NULL CHECK (gone IN (0, 1)),
  created_at INTEGER NOT NULL,
  -- When their groups were last known to be right, and when they are to be asked for next.
  confirmed_at INTEGER NOT NULL,
  refresh_at INTEGER NOT NULL,
  UNIQUE (user_id, provider)
) STRICT;
CREATE INDEX user_principals_by_refresh ON user_principals (refresh_at);

-- Groups that a provider has named, for search and for showing what a principal stands for.
CREATE TABLE provider_groups (
  principal TEXT PRIMARY KEY,
  provider TEXT NOT NULL REFERENCES providers (id) ON DELETE CASCADE,
  display_name TEXT NOT NULL COLLATE NOCASE
) STRICT, WITHOUT ROWID;
CREATE INDEX provider_groups_by_provider ON provider_groups (provider, display_name);

-- Sign-ins through a browser that came back, each once, until they would have expired.
CREATE TABLE finished_flows (
  id TEXT PRIMARY KEY,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX finished_flows_by_expiry ON finished_flows (expires_at);
