import { TRACEPARENT, TRACESTATE } from '#schema/http/trace.ts';
import type { Field } from '#schema/protocol/codec/head.ts';
import { impersonationFields } from '../../authz/impersonate.ts';
import type { Identity } from '../../authz/policy.ts';
import { scrubbed } from './scrub.ts';
import type { Word } from './word.ts';

const REQUEST_ID_HEADER = 'x-request-id';
export const AUDIT_ID_HEADER = 'audit-id';

/**
 * The fields of a request to the API server: the client's, what the plane adds, then the identity that was decided.
 * @throws OutriderError as {@link scrubbed}
 */
export function requestFields(headers: Headers, word: Word, identity: Identity): Field[] {
  const { acceptEncoding } = word;
  const fields: Field[] = [];
  let audited = false;
  for (const field of scrubbed(headers)) {
    const [name] = field;
    if (name === TRACEPARENT || (name === TRACESTATE && !word.continued)) continue;
    audited ||= name === AUDIT_ID_HEADER;
    fields.push(name === 'accept-encoding' && acceptEncoding !== null ? [name, acceptEncoding] : field);
  }
  fields.push([REQUEST_ID_HEADER, word.requestId], [TRACEPARENT, word.traceparent]);
  // kube-apiserver takes it for the id of its audit event (apiserver/pkg/endpoints/filters/audit_init.go), so that its log can be joined with ours.
  if (!audited) fields.push([AUDIT_ID_HEADER, word.requestId]);
  fields.push(...impersonationFields(identity));
  return fields;
}

/** The value of one of the fields of {@link requestFields}, as the cluster sees it. */
export function fieldOf(fields: readonly Field[], wanted: string): string | null {
  return fields.find(([name]) => name === wanted)?.[1] ?? null;
}
