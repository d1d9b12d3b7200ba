import { OutriderError } from '#schema/errors.ts';
import { connectionNamed, HOP_BY_HOP } from '#schema/http/hop-by-hop.ts';
import { IMPERSONATE_PREFIX, REMOTE_PREFIX } from '#schema/kube/impersonation.ts';
import type { Field } from '#schema/protocol/codec/head.ts';
import { splitProtocols } from '../../authn/bearer.ts';

/** Fields that say who is calling, or from where, to someone who believes them; what browsers add for the plane's own origin; and the handshake's, which the agent makes its own of. */
const NOT_FOR_CLUSTERS: ReadonlySet<string> = new Set([
  ...HOP_BY_HOP,
  'authorization',
  'cookie',
  'expect',
  'forwarded',
  'host',
  'origin',
  'referer',
  'sec-websocket-accept',
  'sec-websocket-extensions',
  'sec-websocket-key',
  'sec-websocket-version',
  'true-client-ip',
  'x-client-ip',
  'x-real-ip',
  'x-request-id',
]);

/** Prefixes of the same kind: the aggregation layer's identity, the platform's own fields, ours. */
const NOT_FOR_CLUSTERS_PREFIX = new RegExp(
  `^(?:${[REMOTE_PREFIX, 'x-forwarded-', 'cf-', 'cdn-', 'outrider-', 'sec-fetch-', 'sec-ch-'].join('|')})`,
);

type Verdict = 'pass' | 'drop' | 'refuse';

/** Names that were judged before: there are few, and every request brings the same. Bounded in number and length, since clients make them up: 128 KiB. */
const judged = new Map<string, Verdict>();
const MAX_JUDGED = 1024;
const MAX_JUDGED_LENGTH = 64;

function judge(name: string): Verdict {
  const known = judged.get(name);
  if (known !== undefined) return known;
  const dropped = NOT_FOR_CLUSTERS.has(name) || NOT_FOR_CLUSTERS_PREFIX.test(name);
  const verdict = name.startsWith(IMPERSONATE_PREFIX) ? 'refuse' : dropped ? 'drop' : 'pass';
  if (name.length <= MAX_JUDGED_LENGTH && judged.size < MAX_JUDGED) judged.set(name, verdict);
  return verdict;
}

/**
 * A client's header fields as its cluster may see them: nothing that names an identity or belongs to one hop.
 * Names come in lower case from `Headers`, so no casing slips through (capsule-proxy#189).
 * @throws OutriderError impersonation_refused for any `Impersonate-*`: dropping it in silence would run `--as=viewer delete` with full rights.
 */
export function scrubbed(from: Headers): Field[] {
  const named = namedByConnection(from.get('connection'));
  const fields: Field[] = [];
  for (const field of from) {
    const [name, value] = field;
    const verdict = judge(name);
    if (verdict === 'refuse') {
      throw new OutriderError(
        'impersonation_refused',
        `the header ${name} is not granted to anybody on this plane; leave out --as`,
      );
    }
    if (verdict === 'drop' || named.has(name)) continue;
    if (name === 'sec-websocket-protocol') passProtocols(value, fields);
    else fields.push(field);
  }
  return fields;
}

const NONE: ReadonlySet<string> = new Set();

function namedByConnection(value: string | null): ReadonlySet<string> {
  return value === null ? NONE : new Set(connectionNamed(value));
}

/** The bearer subprotocol ends here: it is a credential of the plane. */
function passProtocols(offered: string, fields: Field[]): void {
  const { protocols } = splitProtocols(offered);
  if (protocols.length > 0) fields.push(['sec-websocket-protocol', protocols.join(', ')]);
}
