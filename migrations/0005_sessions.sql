-- Sessions of browsers: idle_seconds is how long each may rest (null: no cookie carries this token); expires_at is its absolute end.
ALTER TABLE tokens ADD COLUMN idle_seconds INTEGER;
-- Recorded at most once in several minutes, and the address as throttles count it (an IPv6 address by its /64).
ALTER TABLE tokens ADD COLUMN last_used_at INTEGER;
ALTER TABLE tokens ADD COLUMN last_used_from TEXT;

-- What differs from the defaults in schema/api/settings.ts, as JSON.
CREATE TABLE settings (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- RFC 8628: a device that waits for its person. Codes are kept hashed (SHA-256, base64url).
CREATE TABLE device_grants (
  device_hash TEXT PRIMARY KEY,
  user_hash TEXT NOT NULL UNIQUE,
  client_id TEXT NOT NULL,
  -- What the device calls itself: nobody has checked it.
  device_name TEXT NOT NULL,
  address TEXT,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  interval_seconds INTEGER NOT NULL,
  last_poll_at INTEGER,
  -- 1: the last poll came before the interval was over.
  too_fast INTEGER NOT NULL CHECK (too_fast IN (0, 1)),
  status TEXT NOT NULL CHECK (status IN ('pending', 'approved', 'denied', 'used')),
  user_id TEXT REFERENCES users (id) ON DELETE CASCADE,
  decided_at INTEGER
) STRICT;
CREATE INDEX device_grants_by_expiry ON device_grants (expires_at);
CREATE INDEX device_grants_by_user ON device_grants (user_id);

-- RFC 7636: authorization codes for a program on the person's own machine, kept hashed.
CREATE TABLE code_grants (
  code_hash TEXT PRIMARY KEY,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  redirect_uri TEXT NOT NULL,
  code_challenge TEXT NOT NULL,
  decided_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  used_at INTEGER,
  -- What it became: taken back if the code is shown again (RFC 6749 §4.1.2).
  token_id TEXT
) STRICT;
CREATE INDEX code_grants_by_expiry ON code_grants (expires_at);
CREATE INDEX code_grants_by_user ON code_grants (user_id);
