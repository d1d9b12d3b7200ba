/** What follows `/import/` is a registration token, wherever in a text or a path it stands: `/x/import/…` and `//import/…` may be a mistyped address. */
const IMPORT_ADDRESS = /(\/import)\/[^\s"']*/gi;

const redact = (text: string): string => text.replaceAll(IMPORT_ADDRESS, '$1/…');

/** A path for a log, without registration tokens. Queries are never logged. */
export function loggablePath(path: string): string {
  return redact(path);
}

/** What is known of a request before it is answered. No field may hold a token, a header or a body. */
export interface RequestStart {
  readonly requestId: string;
  readonly method: string;
  /** As {@link loggablePath} made it. */
  readonly path: string;
  readonly user?: string;
  readonly cluster?: string;
  /** W3C Trace Context: of the caller's trace, or of one that began here. */
  readonly traceId?: string;
}

/** What became of a request. */
export interface RequestOutcome {
  readonly status: number;
  readonly milliseconds: number;
  readonly code?: string;
  /** For an unexpected failure: what it said and where. */
  readonly error?: string;
}

/** The first part of a request's line, as {@link beginLine} wrote it. */
export interface BegunLine {
  /** Members of a JSON object, without its braces. */
  readonly members: string;
}

/** Writes the part of a line that can be written while the request is under way, so that its answer need not wait for it. */
export function beginLine(start: RequestStart): BegunLine {
  return { members: JSON.stringify(start).slice(1, -1) };
}

/** One JSON line for each request; at level `error` where the plane itself failed, and not the cluster that answers. */
export function endLine({ members }: BegunLine, outcome: RequestOutcome): void {
  const level = outcome.code !== undefined && outcome.status >= 500 ? 'error' : 'info';
  const time = new Date().toISOString();
  console.log(
    `{"time":"${time}","level":"${level}","message":"request",${members},${JSON.stringify(outcome).slice(1)}`,
  );
}

/** Both parts at once. */
export function logRequest({ status, milliseconds, code, error, ...start }: RequestStart & RequestOutcome): void {
  endLine(beginLine(start), {
    status,
    milliseconds,
    ...(code === undefined ? {} : { code }),
    ...(error === undefined ? {} : { error }),
  });
}

/** One JSON line about something that no request stands for. */
export function log(
  level: 'info' | 'warn' | 'error',
  message: string,
  fields: Record<string, string | number | boolean | null> = {},
): void {
  write({ level, message, ...fields });
}

function write(line: Record<string, unknown>): void {
  // The platform's log pipeline takes the console, one call a line.
  console.log(JSON.stringify({ time: new Date().toISOString(), ...line }));
}

/** Queries may hold secrets, and what the Worker says of a caller. */
const QUERY = /(https?:\/\/[^\s"'?]*)\?[^\s"']*/gi;

/** An unexpected error for a log: name, message and the first frames; import addresses and queries are redacted. */
export function describeError(error: unknown): string {
  const text = error instanceof Error ? (error.stack ?? `${error.name}: ${error.message}`) : String(error);
  return redact(text).replaceAll(QUERY, '$1?…').slice(0, 2000);
}
