-- Moments are epoch seconds. Every table is STRICT: a value of the wrong type is an error and not a surprise.

-- One row. Bumped in the same batch as every change that touches who may do what; snapshots and tokens carry its values.
CREATE TABLE access_counter (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  value INTEGER NOT NULL
) STRICT;
INSERT INTO access_counter (id, value) VALUES (1, 0);

CREATE TABLE users (
  id TEXT PRIMARY KEY,
  username TEXT NOT NULL COLLATE NOCASE UNIQUE,
  administrator INTEGER NOT NULL CHECK (administrator IN (0, 1)),
  enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
  -- scrypt with its parameters, as a PHC string.
  password_hash TEXT NOT NULL,
  -- 1: the password was made by somebody else, and must be changed at the next sign-in.
  password_pending INTEGER NOT NULL CHECK (password_pending IN (0, 1)),
  -- Tokens issued before this moment are refused.
  not_before INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE clusters (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL COLLATE NOCASE UNIQUE,
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  -- The counter at the last change that touched this cluster, and the newest snapshot that its object is known to hold.
  access_version INTEGER NOT NULL,
  delivered_version INTEGER NOT NULL,
  -- Rises with every registration; agent credentials of a lower generation are dead. 0: never registered.
  agent_generation INTEGER NOT NULL,
  -- UID of the namespace kube-system: tells whether two imports are the same cluster.
  kube_system_uid TEXT UNIQUE,
  kubernetes_version TEXT,
  agent_version TEXT,
  connected_at INTEGER,
  last_connected_at INTEGER
) STRICT;

-- Clusters that are gone, until their object has heard.
CREATE TABLE forgotten_clusters (
  id TEXT PRIMARY KEY,
  deleted_at INTEGER NOT NULL
) STRICT;

CREATE TABLE cluster_members (
  cluster_id TEXT NOT NULL REFERENCES clusters (id) ON DELETE CASCADE,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  role TEXT NOT NULL CHECK (role IN ('owner', 'member')),
  created_at INTEGER NOT NULL,
  PRIMARY KEY (cluster_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX cluster_members_by_user ON cluster_members (user_id);

-- What a token is, not the token: its signature proves it.
CREATE TABLE tokens (
  id TEXT PRIMARY KEY,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  kind TEXT NOT NULL CHECK (kind IN ('session', 'api', 'kubeconfig')),
  description TEXT NOT NULL,
  cluster_id TEXT REFERENCES clusters (id) ON DELETE CASCADE,
  read_only INTEGER NOT NULL CHECK (read_only IN (0, 1)),
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  revoked_at INTEGER,
  access_version INTEGER NOT NULL
) STRICT;
CREATE INDEX tokens_by_user ON tokens (user_id, expires_at);
CREATE INDEX tokens_by_cluster ON tokens (cluster_id);

CREATE TABLE registration_tokens (
  id TEXT PRIMARY KEY,
  cluster_id TEXT NOT NULL REFERENCES clusters (id) ON DELETE CASCADE,
  -- SHA-256, base64url: 160 random bits need no slow hash.
  hash TEXT NOT NULL UNIQUE,
  created_by TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  revoked_at INTEGER,
  -- The agent that used it first: nobody else may. `claim` names the one attempt that won.
  public_key TEXT,
  claim TEXT,
  used_at INTEGER,
  generation INTEGER
) STRICT;
CREATE INDEX registration_tokens_by_cluster ON registration_tokens (cluster_id);

-- Sign-ins that failed or are under way, by the hash of what is counted (an account, an address, both).
CREATE TABLE sign_in_attempts (
  bucket TEXT NOT NULL,
  attempt TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (bucket, attempt)
) STRICT, WITHOUT ROWID;
CREATE INDEX sign_in_attempts_by_time ON sign_in_attempts (at);
