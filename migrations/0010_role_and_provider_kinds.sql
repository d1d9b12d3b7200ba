-- What every resource has beside its own (schema/resources/metadata.ts), for the global roles that somebody made.
ALTER TABLE global_roles ADD COLUMN description TEXT NOT NULL DEFAULT '';
ALTER TABLE global_roles ADD COLUMN generation INTEGER NOT NULL DEFAULT 1;
ALTER TABLE global_roles ADD COLUMN resource_version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE global_roles ADD COLUMN finalizers TEXT NOT NULL DEFAULT '[]';
ALTER TABLE global_roles ADD COLUMN deleted_at INTEGER;
