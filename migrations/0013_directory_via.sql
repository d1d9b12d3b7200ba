-- Who asks a directory is a choice since the plane can ask by itself: what was `cluster` is one of the two.

UPDATE providers
SET settings = json_set(
  json_remove(settings, '$.cluster'),
  '$.via',
  json_object('kind', 'cluster', 'cluster', json_extract(settings, '$.cluster'))
)
WHERE type = 'activedirectory' AND json_extract(settings, '$.via') IS NULL;
