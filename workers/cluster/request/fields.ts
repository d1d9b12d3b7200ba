import { IMPERSONATE_PREFIX, REMOTE_PREFIX } from '#schema/kube/impersonation.ts';
import type { Field } from '#schema/protocol/codec/head.ts';
import { impersonationFields } from '../../authz/impersonate.ts';
import type { Identity } from '../../authz/policy.ts';
import { PRINCIPAL_HEADER } from './caller.ts';

/** As {@link PRINCIPAL_HEADER}: the Worker's word to the object. Of an agent that dials: whence, as throttles count; of a person who may change something: whence, as the audit log has it. */
export const ADDRESS_HEADER = 'outrider-address';
export const ACCEPT_ENCODING_HEADER = 'outrider-accept-encoding';
export const REQUEST_ID_HEADER = 'x-request-id';
export const AUDIT_ID_HEADER = 'audit-id';

/** Fields of the connection to this object, and of the Worker's own, that mean nothing to the API server. */
const OWN = new Set([
  PRINCIPAL_HEADER,
  ADDRESS_HEADER,
  ACCEPT_ENCODING_HEADER,
  'accept-encoding',
  'connection',
  'host',
  'upgrade',
  'sec-websocket-accept',
  'sec-websocket-extensions',
  'sec-websocket-key',
  'sec-websocket-version',
]);

/** Fields that carry an identity, however they came here: the Worker has refused or removed them, and none may stand beside ours. */
const isIdentity = (name: string): boolean =>
  name === 'authorization' ||
  name === 'cookie' ||
  name.startsWith(IMPERSONATE_PREFIX) ||
  name.startsWith(REMOTE_PREFIX);

/** The fields of a request to the API server: the client's, then the identity that was decided. */
export function requestFields(headers: Headers, identity: Identity): Field[] {
  const fields: Field[] = [];
  for (const [name, value] of headers) {
    if (!OWN.has(name) && !isIdentity(name)) fields.push([name, value]);
  }
  const acceptEncoding = headers.get(ACCEPT_ENCODING_HEADER);
  if (acceptEncoding !== null) fields.push(['accept-encoding', acceptEncoding]);
  fields.push(...impersonationFields(identity));
  return fields;
}
