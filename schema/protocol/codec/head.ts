import { ProtocolCode, ProtocolError } from './codes.ts';
import { MAX_HEAD_BYTES, MAX_HEAD_FIELDS } from '../limits.ts';

/** A header field: name in lower case, value as received. */
export type Field = readonly [name: string, value: string];

export interface RequestHead {
  method: string;
  /** Path and query exactly as the client sent them. */
  target: string;
  fields: Field[];
}

export interface ResponseHead {
  status: number;
  fields: Field[];
}

const encoder = new TextEncoder();
/** A byte order mark is not skipped: what is checked must be what was sent. */
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** RFC 9110 §5.6.2 `token`, in lower case. */
const NAME = /^[a-z0-9!#$%&'*+.^_`|~-]+$/;
const METHOD = /^[A-Z]{1,32}$/;
/** Begins with a slash; no white space, no controls. */
const TARGET = /^\/[\x21-\x7e\x80-\u{10ffff}]*$/u;
/** Controls other than HTAB (RFC 9110 §5.5); a line feed among them would forge a field. */
// oxlint-disable-next-line no-control-regex -- controls are what it looks for
const CONTROL = /[\x00-\x08\x0a-\x1f\x7f]/;

function malformed(detail: string): ProtocolError {
  return new ProtocolError(ProtocolCode.PROTOCOL_ERROR, detail);
}

function tooMany(): ProtocolError {
  return new ProtocolError(ProtocolCode.LIMIT, 'too many fields');
}

function encode(first: string, fields: readonly Field[]): Uint8Array {
  if (fields.length > MAX_HEAD_FIELDS) throw tooMany();
  let text = first;
  for (const [name, value] of fields) text += `\n${name}:${value}`;
  // The encoder would replace a lone surrogate by U+FFFD: another head than the one that was meant.
  if (!text.isWellFormed()) throw malformed('not Unicode');
  const bytes = encoder.encode(text);
  if (bytes.byteLength > MAX_HEAD_BYTES) throw new ProtocolError(ProtocolCode.LIMIT, 'head too large');
  return bytes;
}

function decode(bytes: Uint8Array): { first: string; fields: Field[] } {
  if (bytes.byteLength > MAX_HEAD_BYTES) throw new ProtocolError(ProtocolCode.LIMIT, 'head too large');
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    throw malformed('head is not UTF-8');
  }
  let end = text.indexOf('\n');
  if (end < 0) return { first: text, fields: [] };
  const first = text.slice(0, end);
  const fields: Field[] = [];
  while (end >= 0 && end < text.length) {
    if (fields.length === MAX_HEAD_FIELDS) throw tooMany();
    const start = end + 1;
    end = text.indexOf('\n', start);
    const stop = end < 0 ? text.length : end;
    const colon = text.indexOf(':', start);
    if (colon < 0 || colon >= stop) throw malformed('field without a colon');
    fields.push(checked(text.slice(start, colon), text.slice(colon + 1, stop)));
  }
  return { first, fields };
}

function checked(name: string, value: string): Field {
  if (!NAME.test(name)) throw malformed('field name is not a lower-case token');
  if (CONTROL.test(value)) throw malformed('control character in a field value');
  return [name, value];
}

/** @throws ProtocolError for a method, target or field that cannot be carried; nothing of it is in the message. */
export function encodeRequestHead({ method, target, fields }: RequestHead): Uint8Array {
  if (!METHOD.test(method)) throw malformed('method');
  if (!TARGET.test(target)) throw malformed('target');
  for (const [name, value] of fields) checked(name, value);
  return encode(`${method} ${target}`, fields);
}

export function decodeRequestHead(bytes: Uint8Array): RequestHead {
  const { first, fields } = decode(bytes);
  const space = first.indexOf(' ');
  const method = first.slice(0, space);
  const target = first.slice(space + 1);
  if (space < 0 || !METHOD.test(method) || !TARGET.test(target)) throw malformed('request line');
  return { method, target, fields };
}

/** @throws ProtocolError for a status outside 100–599 or a field that cannot be carried. */
export function encodeResponseHead({ status, fields }: ResponseHead): Uint8Array {
  if (!Number.isInteger(status) || status < 100 || status > 599) throw malformed('status');
  for (const [name, value] of fields) checked(name, value);
  return encode(String(status), fields);
}

export function decodeResponseHead(bytes: Uint8Array): ResponseHead {
  const { first, fields } = decode(bytes);
  if (!/^[1-5][0-9]{2}$/.test(first)) throw malformed('status line');
  return { status: Number(first), fields };
}
