import { endToEnd } from '#schema/http/hop-by-hop.ts';
import { IMPERSONATE_PREFIX, REMOTE_PREFIX } from '#schema/kube/impersonation.ts';
import type { Field } from '#schema/protocol/codec/head.ts';

/** Of a request, what the agent says itself or never says: its own target, its own credential, no wait for 100 (undici has none). */
const OWN = new Set(['host', 'authorization', 'expect']);

/** Of an upgrade, what the WebSocket client makes for its own handshake (RFC 6455 §4.1). */
const HANDSHAKE = /^sec-websocket-/;

/**
 * A request's fields as they go to the API server, without credential. Identity survives a Connection field that names it: otherwise the request would run as the agent
 * (CVE-2021-31999). `X-Remote-*` is the aggregation layer's and is dropped.
 */
export function requestFields(fields: readonly Field[]): Field[] {
  const identity = fields.filter(([name]) => name.startsWith(IMPERSONATE_PREFIX));
  const others = endToEnd(fields).filter(
    ([name]) => !OWN.has(name) && !name.startsWith(IMPERSONATE_PREFIX) && !name.startsWith(REMOTE_PREFIX),
  );
  return [...others, ...identity];
}

/** As {@link requestFields}, without what the WebSocket handshake brings anew and without a length: the request has no body. */
export function upgradeFields(fields: readonly Field[]): Field[] {
  return requestFields(fields).filter(([name]) => !HANDSHAKE.test(name) && name !== 'content-length');
}

/** The fields of an answer that go on to the client. */
export function responseFields(fields: readonly Field[]): Field[] {
  return endToEnd(fields);
}

/**
 * The length that a request declares; null: none.
 * @returns false when it is malformed or two differ: HTTP peers disagree about such bodies (RFC 9112 §6.3).
 */
export function contentLength(fields: readonly Field[]): number | null | false {
  let length: number | null = null;
  for (const [name, value] of fields) {
    if (name !== 'content-length') continue;
    if (!/^[0-9]{1,15}$/.test(value) || (length !== null && Number(value) !== length)) return false;
    length = Number(value);
  }
  return length;
}

/** Text as octets go on the wire: Node writes one octet for each UTF-16 unit, Kubernetes reads UTF-8. */
export function toWire(text: string): string {
  // oxlint-disable-next-line no-control-regex -- asks only whether there is anything beyond ASCII
  return /^[\x00-\x7f]*$/.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1');
}

/** The other way: octets that are UTF-8 as text, anything else one character for each octet (RFC 9110 §5.5, obs-text). */
export function fromWire(octets: string): string {
  // oxlint-disable-next-line no-control-regex -- asks only whether there is anything beyond ASCII
  if (/^[\x00-\x7f]*$/.test(octets)) return octets;
  const bytes = Buffer.from(octets, 'latin1');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return octets;
  }
}

/** Alternating names and values, as Node and undici give raw fields, as {@link Field}s. */
export function fromRaw(raw: readonly (Uint8Array | string)[]): Field[] {
  const fields: Field[] = [];
  const text = (part: Uint8Array | string | undefined): string =>
    part === undefined ? '' : typeof part === 'string' ? part : Buffer.from(part).toString('latin1');
  for (let i = 0; i + 1 < raw.length; i += 2) fields.push([text(raw[i]).toLowerCase(), fromWire(text(raw[i + 1]))]);
  return fields;
}
