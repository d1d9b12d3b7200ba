import { OutriderError } from '#schema/errors.ts';

/**
 * What a Worker tells a cluster's object of a request besides the request itself. It stands at the end of the query, for two reasons. The request is handed on as it came, without
 * a copy of its fields, which costs a tenth of the way of a small one. And whatever a client writes comes before it: dot segments, which the platform takes out of a path, do not
 * reach into a query, and what looks like a word further in front is the client's own.
 */
export interface Word {
  /** An agent dials, or somebody calls the cluster. */
  readonly kind: 'dial' | 'call';
  /** As `caller.ts` wrote it. */
  readonly caller: string;
  readonly requestId: string;
  /** W3C Trace Context, for the API server; '' where there is none. */
  readonly traceparent: string;
  /** The trace is the caller's, and its `tracestate` belongs to it. */
  readonly continued: boolean;
  /** Of an agent that dials: whence, as throttles count; of a person who may change something: whence, as the audit log has it; else ''. */
  readonly address: string;
}

const MARK = 'outrider=';
/** No part has it: base64url, base32, hexadecimal, an address. */
const BETWEEN = '~';
const PARTS = 6;

/** The URL by which the object is asked: the client's, and the word. */
export function withWord(url: string, { kind, caller, requestId, traceparent, continued, address }: Word): string {
  const hash = url.indexOf('#');
  const asked = hash < 0 ? url : url.slice(0, hash);
  const said = [kind, caller, requestId, traceparent, continued ? '1' : '0', encode(address)];
  return asked + (asked.includes('?') ? '&' : '?') + MARK + said.join(BETWEEN);
}

/**
 * The word, and the client's URL without it.
 * @throws OutriderError unauthenticated: there is none, so that nobody is named
 */
export function readWord(url: string): { word: Word; url: string } {
  const at = url.lastIndexOf(MARK);
  const before = url.charAt(at - 1);
  const parts = url.slice(at + MARK.length).split(BETWEEN);
  const [kind, caller = '', requestId = '', traceparent = '', continued, address = ''] = parts;
  if (at < 1 || (before !== '?' && before !== '&') || parts.length !== PARTS || (kind !== 'dial' && kind !== 'call')) {
    throw new OutriderError('unauthenticated', 'the request names no caller');
  }
  const word = {
    kind,
    caller,
    requestId,
    traceparent,
    continued: continued === '1',
    address: decode(address),
  } as const;
  return { word, url: url.slice(0, at - 1) };
}

/** `~` is the one separator that the platform's function leaves as it is. */
const encode = (address: string): string => encodeURIComponent(address).replaceAll(BETWEEN, '%7E');

function decode(address: string): string {
  // Nothing is encoded in most.
  return address.includes('%') ? decodeURIComponent(address) : address;
}
