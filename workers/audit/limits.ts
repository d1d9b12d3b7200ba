/** Every number of the audit events that wait in a cluster's object, with its reason. */

/** How long audit events are gathered before they are sent to the plane's database, ms: also what an idle cluster's object sleeps through. */
export const AUDIT_FLUSH_MS = 5_000;

/** How long a call may be unanswered before its beginning is sent, ms: most are answered by then, and need one event instead of two. */
export const AUDIT_OPEN_MS = 30_000;

/** Waits between tries while the database is away, ms; each doubles. */
export const AUDIT_RETRY_MS = { first: 5_000, longest: 60_000 } as const;

/** Events in one statement, and their characters, of up to three octets: D1 takes a parameter of 2 MB. */
export const AUDIT_AT_ONCE = 500;
export const AUDIT_BATCH_CHARACTERS = 500_000;

/** Audit events that may wait in an object, some 1.5 KB each: an hour of 14 changes a second while the database is away. */
export const MAX_AUDIT_ROWS = 50_000;

/** How many are dropped at once where there is no more room. */
export const AUDIT_DROP = 500;
