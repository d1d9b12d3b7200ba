/** W3C Trace Context, Level 2: https://www.w3.org/TR/trace-context-2/ */
export const TRACEPARENT = 'traceparent';
export const TRACESTATE = 'tracestate';

/** §3.2: version, trace id, parent id, flags; versions above 00 may have more behind a dash. */
const FORMAT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const NO_TRACE_ID = '0'.repeat(32);
const NO_PARENT_ID = '0'.repeat(16);

/** Flags of a trace that begins here: whether it is sampled is for those who collect traces to ask for. */
const NOT_SAMPLED = '00';

/** Which trace a request is part of. */
export interface Trace {
  readonly traceId: string;
  /** As the next hop is told. */
  readonly traceparent: string;
  /** A caller's: its `tracestate` belongs to it. */
  readonly continued: boolean;
}

/** The trace of a request that says what its caller's is; a new one where it does not, or not in the way of §3.2. */
export function traceOf(traceparent: string | null): Trace {
  return (traceparent === null ? null : parse(traceparent)) ?? begin();
}

function parse(traceparent: string): Trace | null {
  const [, version = '', traceId = '', parentId = '', flags = '', rest] = FORMAT.exec(traceparent) ?? [];
  if (version === '' || version === 'ff' || traceId === NO_TRACE_ID || parentId === NO_PARENT_ID) return null;
  if (version === '00' && rest !== undefined) return null;
  // §4.3: of a later version what this one knows is passed on, as this one writes it.
  return { traceId, traceparent: `00-${traceId}-${parentId}-${flags}`, continued: true };
}

function begin(): Trace {
  const ids = crypto.getRandomValues(new Uint8Array(24));
  // One in 2^64 is all zeroes, which no id may be.
  ids[0] = (ids[0] ?? 0) | 1;
  ids[16] = (ids[16] ?? 0) | 1;
  let hex = '';
  for (const octet of ids) hex += HEX[octet];
  const traceId = hex.slice(0, 32);
  return { traceId, traceparent: `00-${traceId}-${hex.slice(32)}-${NOT_SAMPLED}`, continued: false };
}

const HEX: readonly string[] = Array.from({ length: 256 }, (_, octet) => octet.toString(16).padStart(2, '0'));
