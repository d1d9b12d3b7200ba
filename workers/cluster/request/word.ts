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
  /** What the client can decode, where the edge has rewritten its Accept-Encoding; else null. */
  readonly acceptEncoding: string | null;
  /** Of an agent that dials: whence, as throttles count; of a person who may change something: whence, as the audit log has it; else ''. */
  readonly address: string;
}

const MARK = 'outrider=';
/** No part has it: base64url, base32, hexadecimal, an address. */
const BETWEEN = '~';
const PARTS = 7;
/** Before a value that may be empty. */
const TOLD = '=';

/**
 * By this field a Worker named the caller until 2026-11-28, and removed a client's own. A deploy or a rollback puts Worker and object of different code together for a while (Durable Objects, "code updates"):
 * each refuses a request that carries it, since the other might believe what it has not looked at. Drop it when no deploy before that day can come back.
 */
export const FORMER_CALLER_HEADER = 'outrider-principal';

/** To be asked again: Worker and object will agree in a moment. */
export const outOfStep = (): OutriderError =>
  new OutriderError(
    'access_unavailable',
    'the plane is being updated, or the request names a caller by itself; try again',
  );

/** The URL by which the object is asked: the client's, and the word. */
export function withWord(url: string, word: Word): string {
  const { kind, caller, requestId, traceparent, continued, acceptEncoding, address } = word;
  const hash = url.indexOf('#');
  const asked = hash < 0 ? url : url.slice(0, hash);
  const encoding = acceptEncoding === null ? '' : TOLD + encode(acceptEncoding);
  const said = [kind, caller, requestId, traceparent, continued ? '1' : '0', encoding, encode(address)];
  return asked + (asked.includes('?') ? '&' : '?') + MARK + said.join(BETWEEN);
}

/**
 * The word, and the client's URL without it.
 * @throws OutriderError access_unavailable: there is none, so that nobody is named
 */
export function readWord({ url, headers }: Pick<Request, 'url' | 'headers'>): { word: Word; url: string } {
  const at = url.lastIndexOf(MARK);
  const before = url.charAt(at - 1);
  const parts = url.slice(at + MARK.length).split(BETWEEN);
  const [said, caller = '', requestId = '', traceparent = '', continued, encoding = '', address = ''] = parts;
  const kind = said === 'dial' || said === 'call' ? said : null;
  if (at < 1 || (before !== '?' && before !== '&') || parts.length !== PARTS || kind === null) throw outOfStep();
  if (headers.has(FORMER_CALLER_HEADER)) throw outOfStep();
  const word: Word = {
    kind,
    caller,
    requestId,
    traceparent,
    continued: continued === '1',
    acceptEncoding: encoding.startsWith(TOLD) ? decode(encoding.slice(TOLD.length)) : null,
    address: decode(address),
  };
  return { word, url: url.slice(0, at - 1) };
}

/** `~` is the one separator that the platform's function leaves as it is. */
const encode = (text: string): string => encodeURIComponent(text).replaceAll(BETWEEN, '%7E');

/** Nothing is encoded in most. */
const decode = (text: string): string => (text.includes('%') ? decodeURIComponent(text) : text);
