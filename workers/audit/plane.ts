import type { Endpoint } from '#schema/api/endpoint.ts';
import { CLUSTER_ANNOTATION, type AuditEvent, type AuditLevel, type ObjectReference } from '#schema/audit/event.ts';
import { redactedObject } from '#schema/audit/redact.ts';
import { ANYONE, LEFT_OUT, received } from './events.ts';

/** A call of the management API, as its events tell of it. */
export interface PlaneCall {
  readonly endpoint: Endpoint;
  readonly level: AuditLevel;
  readonly requestId: string;
  readonly user: AuditEvent['user'];
  readonly address: string | null;
  readonly userAgent: string | null;
  /** Epoch ms. */
  readonly at: number;
  /** As the endpoint's schemas made them. */
  readonly input: { readonly params: unknown; readonly query: unknown; readonly body: unknown };
}

/** Characters of what was sent; what is longer is left out. */
const MAX_REQUEST_OBJECT = 16_384;

/** Requests with effects, and those that read what opens more: a kubeconfig holds a new token. */
export const isRecorded = ({ method, scope }: Pick<Endpoint, 'method' | 'scope'>): boolean =>
  method !== 'GET' || scope === 'anything';

const VERBS = { GET: 'get', POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' } as const satisfies Record<
  Endpoint['method'],
  string
>;

/** What a path is about: `users`, the name in it, and what hangs on that. Paths of a cluster's parts are about the part. */
export function subjectOf(template: string, params: ReadonlyMap<string, string>): ObjectReference {
  const parts = template.split('/').filter((part) => part !== '' && part !== 'v1');
  const nested = parts[0] === 'clusters' && parts.length > 2;
  const [resource = '', ...rest] = nested ? parts.slice(2) : parts;
  const name = rest[0]?.startsWith('{') === true ? params.get(rest[0].slice(1, -1)) : undefined;
  const subresource = rest.find((part) => !part.startsWith('{'));
  return {
    apiGroup: 'outrider.dev',
    apiVersion: 'v1',
    resource,
    ...(name === undefined ? {} : { name }),
    ...(subresource === undefined ? {} : { subresource }),
  };
}

/** A call of the management API, before its answer is known. Of content only what the endpoint's schemas name and say to be plain is written, and only at level Request. */
export function planeEvent(call: PlaneCall): AuditEvent {
  const { endpoint, input, level } = call;
  const params = texts(input.params);
  const object = subjectOf(endpoint.path, params);
  const cluster = params.get('cluster');
  const event = received({
    ...call,
    level: level === 'Request' ? 'Request' : 'Metadata',
    auditID: call.requestId,
    requestURI: uriOf(endpoint, params, input.query),
    verb: VERBS[endpoint.method],
    object,
    annotations: cluster === undefined ? {} : { [CLUSTER_ANNOTATION]: cluster },
  });
  if (level !== 'Request' || endpoint.body === undefined) return event;
  const requestObject = redactedObject(endpoint.body, input.body);
  return JSON.stringify(requestObject).length > MAX_REQUEST_OBJECT ? event : { ...event, requestObject };
}

/** A call that was refused before anybody asked which endpoint it is for: its address is not written, since nobody knows what is in it. */
export function unroutedEvent(
  call: Pick<PlaneCall, 'requestId' | 'address' | 'userAgent' | 'at'> & { method: string },
): AuditEvent {
  return received({
    ...call,
    level: 'Metadata',
    auditID: call.requestId,
    requestURI: `/${LEFT_OUT}`,
    verb: new Map<string, string>(Object.entries(VERBS)).get(call.method) ?? call.method.toLowerCase(),
    user: ANYONE,
    object: null,
    annotations: {},
  });
}

/** The event once it is known what came of the call, and by whom: what was made has a name now. */
export function withResult(event: AuditEvent, result: unknown): AuditEvent {
  const { objectRef } = event;
  const id = textIn(result, 'id');
  const made = id !== null && objectRef !== undefined && objectRef.name === undefined;
  const cluster =
    textIn(result, 'cluster') ??
    textIn(valueIn(result, 'spec'), 'cluster') ??
    (made && objectRef.resource === 'clusters' ? id : null);
  return {
    ...event,
    ...(made ? { objectRef: { ...objectRef, name: id } } : {}),
    annotations: cluster === null ? event.annotations : { [CLUSTER_ANNOTATION]: cluster, ...event.annotations },
  };
}

function uriOf({ path, query: schema }: Endpoint, params: ReadonlyMap<string, string>, query: unknown): string {
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(params.get(name) ?? ''));
  if (schema === undefined) return filled;
  const written = Object.entries(redactedObject(schema, query)).map(([name, value]): [string, string] => [
    name,
    typeof value === 'string' ? value : JSON.stringify(value),
  ]);
  return written.length === 0 ? filled : `${filled}?${new URLSearchParams(written).toString()}`;
}

const valueIn = (result: unknown, key: string): unknown =>
  typeof result === 'object' && result !== null ? Reflect.get(result, key) : null;

function textIn(result: unknown, key: string): string | null {
  const value = valueIn(result, key);
  return typeof value === 'string' ? value : null;
}

function texts(params: unknown): ReadonlyMap<string, string> {
  const entries = typeof params === 'object' && params !== null ? Object.entries(params) : [];
  return new Map(entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
}
