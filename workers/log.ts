/** What follows `/import/` is a registration token, wherever in a text or a path it stands: `/x/import/…` and `//import/…` may be a mistyped address. */
const IMPORT_ADDRESS = /(\/import)\/[^\s"']*/gi;

const redact = (text: string): string => text.replaceAll(IMPORT_ADDRESS, '$1/…');

/** A path for a log, without registration tokens. Queries are never logged. */
export function loggablePath(path: string): string {
  return redact(path);
}

/** What is said about one request. No field may hold a token, a header or a body. */
export interface RequestLine {
  readonly requestId: string;
  readonly method: string;
  /** As {@link loggablePath} made it. */
  readonly path: string;
  readonly status: number;
  readonly milliseconds: number;
  readonly user?: string;
  readonly cluster?: string;
  /** W3C Trace Context: of the caller's trace, or of one that began here. */
  readonly traceId?: string;
  readonly code?: string;
  /** For an unexpected failure: what it said and where. */
  readonly error?: string;
}

/** One JSON line for each request; at level `error` where the plane itself failed, and not the cluster that answers. */
export function logRequest(line: RequestLine): void {
  write({ level: line.code !== undefined && line.status >= 500 ? 'error' : 'info', message: 'request', ...line });
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

/** An unexpected error for a log: name, message and the first frames; import addresses are redacted. */
export function describeError(error: unknown): string {
  const text = error instanceof Error ? (error.stack ?? `${error.name}: ${error.message}`) : String(error);
  return redact(text).slice(0, 2000);
}
