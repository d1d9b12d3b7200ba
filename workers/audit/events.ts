import {
  CLIENT_AUDIT_ID_ANNOTATION,
  CLUSTER_ANNOTATION,
  DROPPED_ANNOTATION,
  MAX_AUDIT_ID,
  MAX_GROUPS,
  MAX_REQUEST_URI,
  MAX_USER_AGENT,
  microMoment,
  TOKEN_EXTRA_KEY,
  type AuditEvent,
  type ObjectReference,
} from '#schema/audit/event.ts';
import { requestInfo, type RequestInfo } from '#schema/audit/request-info.ts';
import { randomBase32 } from '#schema/ids.ts';

const MAX_NAME = 256;

/** In the place of what no table names. */
export const LEFT_OUT = '…';

/** Parameters of the API server that hold no content of anybody's: `k8s.io/apimachinery/pkg/apis/meta/v1/types.go`, `k8s.io/api/core/v1/types.go`. */
const QUERY: ReadonlySet<string> = new Set([
  'allowWatchBookmarks',
  'container',
  'dryRun',
  'fieldManager',
  'fieldSelector',
  'fieldValidation',
  'force',
  'gracePeriodSeconds',
  'labelSelector',
  'limit',
  'orphanDependents',
  'ports',
  'pretty',
  'propagationPolicy',
  'resourceVersion',
  'resourceVersionMatch',
  'stderr',
  'stdin',
  'stdout',
  'timeout',
  'timeoutSeconds',
  'tty',
  'watch',
]);

/** Who has not said who they are, or was not believed (Kubernetes `apiserver/pkg/authentication/user/user.go`). */
export const ANYONE = { username: 'system:anonymous' } as const;

/** Never through the middle of a character. */
const cut = (text: string, most = MAX_NAME): string => text.slice(0, most).toWellFormed();

/** What is common to all events at their beginning. @param at epoch ms */
export function received(
  call: Pick<AuditEvent, 'level' | 'auditID' | 'requestURI' | 'verb' | 'user' | 'annotations'> & {
    readonly at: number;
    readonly address: string | null;
    readonly userAgent: string | null;
    readonly object: ObjectReference | null;
  },
): AuditEvent {
  const at = microMoment(call.at);
  return {
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level: call.level,
    auditID: call.auditID,
    stage: 'RequestReceived',
    requestURI: cut(call.requestURI, MAX_REQUEST_URI),
    verb: cut(call.verb),
    user: call.user,
    ...(call.address === null || call.address === '' ? {} : { sourceIPs: [cut(call.address, 64)] }),
    ...(call.userAgent === null ? {} : { userAgent: cut(call.userAgent, MAX_USER_AGENT) }),
    ...(call.object === null ? {} : { objectRef: shortened(call.object) }),
    requestReceivedTimestamp: at,
    stageTimestamp: at,
    annotations: call.annotations,
  };
}

/** Who did it, by the id that the plane and its clusters know them by. */
export function userOf(user: {
  readonly id: string;
  readonly username: string;
  readonly groups?: readonly string[];
  readonly token?: string;
}): AuditEvent['user'] {
  return {
    username: cut(user.username),
    uid: user.id,
    ...(user.groups === undefined ? {} : { groups: user.groups.slice(0, MAX_GROUPS).map((group) => cut(group)) }),
    ...(user.token === undefined ? {} : { extra: { [TOKEN_EXTRA_KEY]: [user.token] } }),
  };
}

/** A call that is for a cluster. */
export interface ProxiedCall {
  readonly requestId: string;
  readonly method: string;
  /** Path and query, as the API server will see them. */
  readonly target: string;
  readonly cluster: string;
  /** Null: nobody was believed. */
  readonly identity: {
    readonly user: string;
    readonly username: string;
    readonly groups?: readonly string[];
    readonly token: string;
  } | null;
  readonly address: string | null;
  readonly userAgent: string | null;
  /** The Audit-ID that the client chose; equal to the request's id where it chose none. */
  readonly sentAuditId: string | null;
  /** Epoch ms. */
  readonly at: number;
}

/**
 * A call to a cluster, before it is sent. At level Metadata always: what is in its content only the cluster knows. Its id is the request's and never the client's, who
 * could hide one call behind the id of another.
 */
export function proxiedEvent(call: ProxiedCall): AuditEvent {
  const info = requestInfo(call.method, call.target);
  const { identity, sentAuditId } = call;
  return received({
    ...call,
    level: 'Metadata',
    auditID: call.requestId,
    requestURI: `/k8s/clusters/${call.cluster}${writtenTarget(info, call.target)}`,
    verb: info?.verb ?? call.method.toLowerCase(),
    user: identity === null ? ANYONE : userOf({ ...identity, id: identity.user }),
    object: info !== null && info.isResource ? objectOf(info) : null,
    annotations: {
      [CLUSTER_ANNOTATION]: call.cluster,
      ...(sentAuditId === null || sentAuditId === call.requestId
        ? {}
        : { [CLIENT_AUDIT_ID_ANNOTATION]: cut(sentAuditId, MAX_AUDIT_ID) }),
    },
  });
}

function objectOf(info: RequestInfo): ObjectReference {
  const { resource, namespace, name, apiGroup, apiVersion, subresource } = info;
  const fields = Object.entries({ resource, namespace, name, apiGroup, apiVersion, subresource });
  return Object.fromEntries(fields.filter(([, value]) => value !== ''));
}

const shortened = (object: ObjectReference): ObjectReference =>
  Object.fromEntries(Object.entries(object).map(([key, value]) => [key, cut(value ?? '')]));

/**
 * Path and query as far as their schema is known. What follows `proxy` is an address of somebody's service, a command of exec may hold a password, and paths outside the API
 * mean what their server likes: those are left out. The cluster's own audit log, which has the same id, may say more.
 */
function writtenTarget(info: RequestInfo | null, target: string): string {
  if (info === null) return `/${LEFT_OUT}`;
  const path = info.known.map((segment) => `/${encodeURIComponent(cut(segment))}`).join('');
  const whole = info.more ? `${path}/${LEFT_OUT}` : path === '' ? '/' : path;
  const proxied = info.verb === 'proxy' || info.subresource === 'proxy';
  const from = target.indexOf('?');
  if (!info.isResource || proxied || from < 0) return whole;
  const written = [...new URLSearchParams(target.slice(from + 1))].filter(([name]) => QUERY.has(name));
  return written.length === 0 ? whole : `${whole}?${new URLSearchParams(written).toString()}`;
}

/** That events were dropped, which must not pass in silence. @param at epoch ms */
export function droppedEvent(cluster: string, dropped: number, at: number): AuditEvent {
  return received({
    level: 'Metadata',
    auditID: randomBase32(16),
    requestURI: '',
    verb: 'drop',
    user: { username: 'outrider:plane' },
    annotations: { [CLUSTER_ANNOTATION]: cluster, [DROPPED_ANNOTATION]: String(dropped) },
    at,
    address: null,
    userAgent: null,
    object: { apiGroup: 'outrider.dev', apiVersion: 'v1', resource: 'auditevents' },
  });
}
