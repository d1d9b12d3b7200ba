/** Requests of the workload. `create` has a name of its own, `generate` leaves the name to the API server: only there two executions are two objects. */
export type Kind = 'get' | 'bulk' | 'create' | 'generate' | 'append';

export const WRITES: ReadonlySet<Kind> = new Set(['create', 'generate', 'append']);

/** What a client was told. */
export type Told =
  /** To the end. `retryAfter`: the answer says that it may be sent again. */
  | { how: 'answered'; status: number; retryAfter: boolean; text: string }
  /** The head came, and the content broke off. */
  | { how: 'cut'; status: number }
  /** No answer, and the client knows it. */
  | { how: 'broken'; error: string }
  /** No answer, and the client gave up waiting. */
  | { how: 'hung' };

/** One request: sent once, and never again. */
export interface Sent {
  /** Unique; in the request's query, where the audit log shows it. */
  readonly id: string;
  readonly kind: Kind;
  readonly told: Told;
  readonly tookMs: number;
}

/** An event of a watch on ConfigMaps. */
export interface WatchEvent {
  readonly type: string;
  readonly name: string;
  readonly resourceVersion: string;
}

/** What one watching client heard, over all the watches that it had to open. */
export interface Heard {
  readonly name: string;
  /** Events since the client last listed. */
  readonly events: readonly WatchEvent[];
  /** The list that it began with: by the API server's word nothing before it is of interest. */
  readonly since: string;
  /** Whether the last change of all was heard within the patience of a test. */
  readonly complete: boolean;
  /** Watches that were opened, for the report. */
  readonly watches: number;
}
