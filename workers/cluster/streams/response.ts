import type { ResponseHead } from '#schema/protocol/head.ts';
import { CODE_HEADER } from '../../status.ts';
import { endToEnd } from '#schema/http/hop-by-hop.ts';

/** Fields that a cluster has no business setting for the plane's origin. */
const NOT_FOR_CLIENTS = new Set([
  'accept-ch',
  'alt-svc',
  'clear-site-data',
  CODE_HEADER,
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

/**
 * The fields of a response to a client. What a browser renders from a cluster runs in a sandbox of its own origin (`design.md` §5).
 * @param streamed the content's length is not known: a watch, or logs
 */
export function responseHeaders({ fields }: ResponseHead, requestId: string, streamed: boolean): Headers {
  const headers = new Headers();
  for (const [name, value] of endToEnd(fields)) {
    if (!NOT_FOR_CLIENTS.has(name)) headers.append(name, value);
  }
  if (contentLength({ fields }) === null) headers.delete('content-length');
  headers.set('content-security-policy', 'sandbox');
  headers.set('x-content-type-options', 'nosniff');
  headers.set('x-request-id', requestId);
  // A server in front that compresses would hold a watch's events back (workers-sdk#6577); `identity` says that the content is encoded already.
  if (streamed && !headers.has('content-encoding')) headers.set('content-encoding', 'identity');
  return headers;
}

/** The declared length of the content, octets; null when there is none that can be believed. */
export function contentLength({ fields }: Pick<ResponseHead, 'fields'>): number | null {
  const values = fields.filter(([name]) => name === 'content-length').map(([, value]) => value);
  const [value] = values;
  if (values.length !== 1 || value === undefined || !/^\d{1,15}$/.test(value)) return null;
  return Number(value);
}
