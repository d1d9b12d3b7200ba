-- 1: the plane refused it, or a sign-in failed: nothing was changed, and anybody could cause any number of these. They have a share of the window and no more.
ALTER TABLE audit_events ADD COLUMN refusal INTEGER NOT NULL DEFAULT 0 CHECK (refusal IN (0, 1));
CREATE INDEX audit_refusals_by_time ON audit_events (received_ms, audit_id, stage) WHERE refusal = 1;
CREATE INDEX audit_events_by_resource ON audit_events (resource, received_ms, audit_id, stage);
CREATE INDEX audit_events_by_name ON audit_events (name, received_ms, audit_id, stage);

-- How many rows there are, kept by the triggers: whether the window is exceeded is asked with every batch of events, and must not cost a walk over all of them.
ALTER TABLE audit_upkeep ADD COLUMN events INTEGER NOT NULL DEFAULT 0;
ALTER TABLE audit_upkeep ADD COLUMN refusals INTEGER NOT NULL DEFAULT 0;
UPDATE audit_upkeep SET events = (SELECT count(*) FROM audit_events);
CREATE TRIGGER audit_events_added AFTER INSERT ON audit_events BEGIN
  UPDATE audit_upkeep SET events = events + 1, refusals = refusals + NEW.refusal WHERE id = 1;
END;
CREATE TRIGGER audit_events_removed AFTER DELETE ON audit_events BEGIN
  UPDATE audit_upkeep SET events = events - 1, refusals = refusals - OLD.refusal WHERE id = 1;
END;
