import type { ResponseHead } from '#schema/protocol/codec/head.ts';
import { CODE_HEADER, TOLD_HEADER } from '../../status.ts';
import { endToEnd } from '#schema/http/hop-by-hop.ts';

/** Fields that a cluster has no business setting for the plane's origin. */
const NOT_FOR_CLIENTS = new Set([
  // The plane's own, of which there is one.
  'content-security-policy',
  'x-content-type-options',
  'x-request-id',
  'accept-ch',
  'alt-svc',
  'clear-site-data',
  CODE_HEADER,
  TOLD_HEADER,
  'nel',
  'report-to',
  'reporting-endpoints',
  'service-worker-allowed',
  'set-cookie',
  'set-cookie2',
  'strict-transport-security',
]);

/** RFC 9110 §6.4.1: statuses whose responses have no content; a Response with a body would be refused. */
const EMPTY_STATUS = new Set([204, 205, 304]);

export function hasNoContent(method: string, status: number): boolean {
  return method === 'HEAD' || EMPTY_STATUS.has(status);
}

/** What `Response` takes. */
export interface ResponseFields {
  /** Values by name, which the platform reads in a third of the time that pairs take; pairs where a name comes more than once. A `Headers` object would be made for it, and made again by it. */
  fields: Record<string, string> | [name: string, value: string][];
  /** One of them says how the content is encoded. */
  encoded: boolean;
}

/**
 * The fields of a response to a client. What a browser renders from a cluster runs in a sandbox of its own origin (`design.md` §5).
 * @param streamed the content's length is not known: a watch, or logs
 */
export function responseHeaders({ fields }: ResponseHead, requestId: string, streamed: boolean): ResponseFields {
  const list: [string, string][] = [
    ['content-security-policy', 'sandbox'],
    ['x-content-type-options', 'nosniff'],
    ['x-request-id', requestId],
  ];
  const believed = contentLength({ fields }) !== null;
  let encoded = false;
  for (const [name, value] of endToEnd(fields)) {
    if (NOT_FOR_CLIENTS.has(name) || (name === 'content-length' && !believed)) continue;
    encoded ||= name === 'content-encoding';
    list.push([name, value]);
  }
  // A server in front that compresses would hold a watch's events back (workers-sdk#6577); `identity` says that the content is encoded already.
  if (streamed && !encoded) list.push(['content-encoding', 'identity']);
  return { fields: byName(list) ?? list, encoded: encoded || streamed };
}

/** Null where a name comes twice, or is one that an object has by itself. */
function byName(list: readonly [string, string][]): Record<string, string> | null {
  const fields: Record<string, string> = {};
  for (const [name, value] of list) {
    if (name in fields) return null;
    fields[name] = value;
  }
  return fields;
}

/** The declared length of the content, octets; null when there is none that can be believed. */
export function contentLength({ fields }: Pick<ResponseHead, 'fields'>): number | null {
  const values = fields.filter(([name]) => name === 'content-length').map(([, value]) => value);
  const [value] = values;
  if (values.length !== 1 || value === undefined || !/^\d{1,15}$/.test(value)) return null;
  return Number(value);
}
