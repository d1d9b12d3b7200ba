-- What every resource has beside its own (schema/resources/metadata.ts), for clusters. One that has `deleted_at` is there for who removes its finalizers, and for
-- nothing else: no tunnel, no request, no registration.
ALTER TABLE clusters ADD COLUMN generation INTEGER NOT NULL DEFAULT 1;
ALTER TABLE clusters ADD COLUMN resource_version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE clusters ADD COLUMN finalizers TEXT NOT NULL DEFAULT '[]';
ALTER TABLE clusters ADD COLUMN deleted_at INTEGER;
-- When an agent of it registered for the first time. Null: none has.
ALTER TABLE clusters ADD COLUMN imported_at INTEGER;
UPDATE clusters SET imported_at = coalesce(connected_at, created_at) WHERE agent_generation > 0;
