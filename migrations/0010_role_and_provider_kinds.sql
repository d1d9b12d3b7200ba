-- What every resource has beside its own (schema/resources/metadata.ts), for the global roles that somebody made.
ALTER TABLE global_roles ADD COLUMN description TEXT NOT NULL DEFAULT '';
ALTER TABLE global_roles ADD COLUMN generation INTEGER NOT NULL DEFAULT 1;
ALTER TABLE global_roles ADD COLUMN resource_version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE global_roles ADD COLUMN finalizers TEXT NOT NULL DEFAULT '[]';
ALTER TABLE global_roles ADD COLUMN deleted_at INTEGER;

-- And for sign-in providers. What was a form of the settings is a generation of the spec; a test is about one, and what it found still holds of a later one in which only other things changed.
ALTER TABLE providers RENAME COLUMN revision TO resource_version;
ALTER TABLE providers RENAME COLUMN form TO generation;
ALTER TABLE providers RENAME COLUMN tested_form TO tested_generation;
ALTER TABLE providers ADD COLUMN finalizers TEXT NOT NULL DEFAULT '[]';
ALTER TABLE providers ADD COLUMN deleted_at INTEGER;
-- Whether the last test ended well, when it last did not as the one before it, and what it found: a JSON array.
ALTER TABLE providers ADD COLUMN test_passed INTEGER NOT NULL DEFAULT 0 CHECK (test_passed IN (0, 1));
ALTER TABLE providers ADD COLUMN test_changed_at INTEGER;
ALTER TABLE providers ADD COLUMN test_checks TEXT NOT NULL DEFAULT '[]';
-- When people could last begin, or not any more, to sign in.
ALTER TABLE providers ADD COLUMN enabled_changed_at INTEGER NOT NULL DEFAULT 0;
UPDATE providers SET test_passed = tested_generation IS NOT NULL, test_changed_at = tested_at, enabled_changed_at = updated_at;
ALTER TABLE providers DROP COLUMN updated_at;
