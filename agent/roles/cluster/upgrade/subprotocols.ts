import { ProtocolCode, ProtocolError } from '#schema/protocol/codec/codes.ts';
import type { Field } from '#schema/protocol/codec/head.ts';

/** How browsers bring a bearer token to an API server (`apiserver/pkg/authentication/request/websocket`). It is the plane's to read and never the agent's to see. */
const BEARER_PREFIX = 'base64url.bearer.authorization.k8s.io.';

/** kubectl offers one, `kubectl port-forward` two. */
const MAX_PROTOCOLS = 16;

/** RFC 6455 wants an RFC 9110 token; Kubernetes' own `SPDY/3.1+portforward.k8s.io` has a slash. */
const NAME = /^[A-Za-z0-9!#$%&'*+\-.^_`|~/]{1,128}$/;

/**
 * The subprotocols that the client offers, in its order, each once.
 * @throws ProtocolError IDENTITY_REFUSED for a bearer token among them, PROTOCOL_ERROR for what is no subprotocol.
 */
export function offeredProtocols(fields: readonly Field[]): string[] {
  const offered = new Set<string>();
  for (const [name, value] of fields) {
    if (name !== 'sec-websocket-protocol') continue;
    for (const part of value.split(',')) {
      const protocol = part.trim();
      if (protocol.toLowerCase().startsWith(BEARER_PREFIX)) {
        throw new ProtocolError(ProtocolCode.IDENTITY_REFUSED, 'a bearer token among the subprotocols');
      }
      if (!NAME.test(protocol)) throw new ProtocolError(ProtocolCode.PROTOCOL_ERROR, 'a malformed subprotocol');
      offered.add(protocol);
    }
  }
  if (offered.size > MAX_PROTOCOLS) throw new ProtocolError(ProtocolCode.PROTOCOL_ERROR, 'too many subprotocols');
  return [...offered];
}
