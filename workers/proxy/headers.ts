import { OutriderError } from '#schema/errors.ts';
import { connectionNamed, HOP_BY_HOP } from '#schema/http/hop-by-hop.ts';
import { IMPERSONATE_PREFIX, REMOTE_PREFIX } from '#schema/kube/impersonation.ts';
import { splitProtocols } from '../authn/bearer.ts';
import { ACCEPT_ENCODING_HEADER } from '../cluster/request/fields.ts';

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

/** Names in lower case, and values: what `fetch` takes. A `Headers` object would be made for it, and made again by it. */
export type HeaderList = [name: string, value: string][];

/**
 * A client's header fields as the cluster's object may see them: nothing that names an identity or belongs to one hop.
 * Names come in lower case from `Headers`, so no casing slips through (capsule-proxy#189).
 * @throws OutriderError impersonation_refused for any `Impersonate-*`: dropping it in silence would run `--as=viewer delete` with full rights.
 */
export function scrubbed(from: Headers, facts: { websocket: boolean; acceptEncoding: string | null }): HeaderList {
  const named = namedByConnection(from.get('connection'));
  const fields: HeaderList = [];
  for (const field of from) {
    const [name, value] = field;
    if (name.startsWith(IMPERSONATE_PREFIX)) {
      throw new OutriderError(
        'impersonation_refused',
        `the header ${name} is not granted to anybody on this plane; leave out --as`,
      );
    }
    if (NOT_FOR_CLUSTERS.has(name) || named.has(name) || NOT_FOR_CLUSTERS_PREFIX.test(name)) continue;
    if (name === 'sec-websocket-protocol') passProtocols(value, fields);
    else fields.push(field);
  }
  if (facts.websocket) fields.push(['upgrade', 'websocket']);
  if (facts.acceptEncoding !== null) fields.push([ACCEPT_ENCODING_HEADER, facts.acceptEncoding]);
  return fields;
}

const NONE: ReadonlySet<string> = new Set();

function namedByConnection(value: string | null): ReadonlySet<string> {
  return value === null ? NONE : new Set(connectionNamed(value));
}

/** The bearer subprotocol ends here: it is a credential of the plane. */
function passProtocols(offered: string, fields: HeaderList): void {
  const { protocols } = splitProtocols(offered);
  if (protocols.length > 0) fields.push(['sec-websocket-protocol', protocols.join(', ')]);
}
