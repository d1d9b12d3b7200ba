import { OutriderError } from '#schema/errors.ts';
import { connectionNamed, HOP_BY_HOP } from '#schema/http/hop-by-hop.ts';
import { IMPERSONATE_PREFIX, REMOTE_PREFIX } from '#schema/kube/impersonation.ts';
import { splitProtocols } from '../authn/bearer.ts';
import { ACCEPT_ENCODING_HEADER } from '../cluster/fields.ts';

/** Fields that say who is calling, or from where, to someone who believes them; and what browsers add for the plane's own origin. */
const NOT_FOR_CLUSTERS: ReadonlySet<string> = new Set([
  ...HOP_BY_HOP,
  'authorization',
  'cookie',
  'expect',
  'forwarded',
  'origin',
  'referer',
  'true-client-ip',
  'x-client-ip',
  'x-real-ip',
  'x-request-id',
]);

/** Prefixes of the same kind: the aggregation layer's identity, the platform's own fields, ours. */
const NOT_FOR_CLUSTERS_PREFIX = new RegExp(
  `^(?:${[REMOTE_PREFIX, 'x-forwarded-', 'cf-', 'cdn-', 'outrider-', 'sec-fetch-', 'sec-ch-'].join('|')})`,
);

/**
 * A client's header fields as the cluster's object may see them: nothing that names an identity or belongs to one hop.
 * Names come in lower case from `Headers`, so no casing slips through (capsule-proxy#189).
 * @throws OutriderError impersonation_refused for any `Impersonate-*`: dropping it in silence would run `--as=viewer delete` with full rights.
 */
export function scrubbed(from: Headers, facts: { websocket: boolean; acceptEncoding: string | null }): Headers {
  const named = namedByConnection(from.get('connection'));
  const fields: [string, string][] = [];
  for (const field of from) {
    const [name] = field;
    if (name.startsWith(IMPERSONATE_PREFIX)) {
      throw new OutriderError(
        'impersonation_refused',
        `the header ${name} is not granted to anybody on this plane; leave out --as`,
      );
    }
    if (!NOT_FOR_CLUSTERS.has(name) && !named.has(name) && !NOT_FOR_CLUSTERS_PREFIX.test(name)) fields.push(field);
  }
  const headers = new Headers(fields);
  passProtocols(headers);
  if (facts.websocket) headers.set('upgrade', 'websocket');
  if (facts.acceptEncoding !== null) headers.set(ACCEPT_ENCODING_HEADER, facts.acceptEncoding);
  return headers;
}

const NONE: ReadonlySet<string> = new Set();

function namedByConnection(value: string | null): ReadonlySet<string> {
  return value === null ? NONE : new Set(connectionNamed(value));
}

/** The bearer subprotocol ends here: it is a credential of the plane. */
function passProtocols(headers: Headers): void {
  const offered = headers.get('sec-websocket-protocol');
  if (offered === null) return;
  const { protocols } = splitProtocols(offered);
  if (protocols.length === 0) headers.delete('sec-websocket-protocol');
  else headers.set('sec-websocket-protocol', protocols.join(', '));
}
