/**
 * The schema of one cluster object's SQLite. Append only: objects in the field have run some prefix of this list.
 * `meta` holds one row a key; `spill` the uploads that client WebSockets sent faster than the tunnel took them.
 */
export const MIGRATIONS: readonly string[] = [
  `CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
   CREATE TABLE spill (
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     upload INTEGER NOT NULL,
     flags INTEGER NOT NULL,
     data BLOB NOT NULL
   ) STRICT;
   CREATE INDEX spill_upload ON spill (upload, id);`,
];
