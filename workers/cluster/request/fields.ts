import { TRACEPARENT, TRACESTATE } from '#schema/http/trace.ts';
import type { Field } from '#schema/protocol/codec/head.ts';
import { impersonationFields } from '../../authz/impersonate.ts';
import type { Identity } from '../../authz/policy.ts';
import { scrubbed } from './scrub.ts';
import type { Word } from './word.ts';

const REQUEST_ID_HEADER = 'x-request-id';
export const AUDIT_ID_HEADER = 'audit-id';

/** The part of a request that its fields are made of. */
export type Incoming = Pick<Request, 'headers' | 'cf'>;

/**
 * The fields of a request to the API server: the client's, what the plane adds, then the identity that was decided.
 * @throws OutriderError as {@link scrubbed}
 */
export function requestFields(request: Incoming, word: Word, identity: Identity): Field[] {
  const fields: Field[] = [];
  let audited = false;
  for (const field of scrubbed(request.headers)) {
    const [name] = field;
    if (name === TRACEPARENT || (name === TRACESTATE && !word.continued)) continue;
    audited ||= name === AUDIT_ID_HEADER;
    fields.push(name === 'accept-encoding' ? [name, originally(request, field)] : field);
  }
  fields.push([REQUEST_ID_HEADER, word.requestId], [TRACEPARENT, word.traceparent]);
  // kube-apiserver takes it for the id of its audit event (apiserver/pkg/endpoints/filters/audit_init.go), so that its log can be joined with ours.
  if (!audited) fields.push([AUDIT_ID_HEADER, word.requestId]);
  fields.push(...impersonationFields(identity));
  return fields;
}

/** What the client can decode. The edge, which gives every request a `cf-ray`, rewrites the field and keeps the original beside it; a plain workerd does neither, and asking it costs. */
function originally({ headers, cf }: Incoming, [, value]: Field): string {
  if (!headers.has('cf-ray')) return value;
  const original = cf?.['clientAcceptEncoding'];
  return typeof original === 'string' ? original : value;
}
