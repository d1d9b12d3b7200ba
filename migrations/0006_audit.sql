-- What was changed, by whom: `audit.k8s.io/v1` events. No foreign keys: what a person or a cluster did stays when they are gone.
CREATE TABLE audit_events (
  -- The request's id and how far it had come: one row each, so an event that is sent twice is kept once.
  audit_id TEXT NOT NULL,
  stage TEXT NOT NULL CHECK (stage IN ('RequestReceived', 'ResponseStarted', 'ResponseComplete')),
  -- Epoch milliseconds, unlike other moments: several fall into one second, and their order matters.
  received_ms INTEGER NOT NULL,
  -- User id; empty where nobody was known.
  actor TEXT NOT NULL,
  -- Empty where it is about none.
  cluster_id TEXT NOT NULL,
  verb TEXT NOT NULL,
  resource TEXT NOT NULL,
  name TEXT NOT NULL,
  -- The whole event, JSON.
  event TEXT NOT NULL,
  UNIQUE (audit_id, stage)
) STRICT;
CREATE INDEX audit_events_by_time ON audit_events (received_ms, audit_id, stage);
CREATE INDEX audit_events_by_actor ON audit_events (actor, received_ms, audit_id, stage);
CREATE INDEX audit_events_by_cluster ON audit_events (cluster_id, received_ms, audit_id, stage);

-- One row: when somebody is next to look whether the window is exceeded (epoch seconds). Whoever moves the moment on is the one who looks.
CREATE TABLE audit_upkeep (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  due_at INTEGER NOT NULL
) STRICT;
INSERT INTO audit_upkeep (id, due_at) VALUES (1, 0);
