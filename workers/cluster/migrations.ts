/**
 * The schema of one cluster object's SQLite. Append only: objects in the field have run some prefix of this list.
 * `meta` holds one row a key; `spill` the uploads that client WebSockets sent faster than the tunnel took them; `audit` the
 * events that the plane's database does not have yet.
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
  // `code`, `answered_at` (epoch ms): null until the answer is known; `open`: 0 once it is, or once nobody waits for it any more; `landed`: 1 once the plane's database has the beginning.
  `CREATE TABLE audit (
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     event TEXT NOT NULL,
     received_at INTEGER NOT NULL,
     open INTEGER NOT NULL,
     landed INTEGER NOT NULL,
     code INTEGER,
     answered_at INTEGER
   ) STRICT;`,
];
