import type { Principal } from '#schema/access.ts';
import { refused, type AuditEvent } from '#schema/audit/event.ts';
import { mayChange } from '#schema/audit/request-info.ts';
import { OutriderError, unknownCluster } from '#schema/errors.ts';
import { SAFE_METHODS } from '#schema/http/methods.ts';
import { TRACEPARENT, traceOf, TRACESTATE, type Trace } from '#schema/http/trace.ts';
import { ClusterId } from '#schema/ids.ts';
import { proxiedEvent } from '../audit/events.ts';
import { authenticate } from '../authn/bearer.ts';
import type { Cluster } from '../cluster/object.ts';
import { PRINCIPAL_HEADER, writeCaller } from '../cluster/request/caller.ts';
import { ADDRESS_HEADER, AUDIT_ID_HEADER, REQUEST_ID_HEADER } from '../cluster/request/fields.ts';
import { clusterObject } from '../cluster/stub.ts';
import { parseProxyUrl, proxyUrl } from '../cluster/request/target.ts';
import type { Config } from '../env.ts';
import { beginLine, type BegunLine, describeError, endLine, log, loggablePath } from '../log.ts';
import { CODE_HEADER, statusOfError, TOLD_HEADER } from '../status.ts';
import { type HeaderList, scrubbed } from './headers.ts';
import { answerSpdy, isSpdySession } from './spdy.ts';
import { amongStrangers } from './strangers.ts';

/** An API server's paths are far shorter. */
const MAX_LOGGED_PATH = 1024;

/** Room for any id; what a client makes up may be longer. */
const MAX_LOGGED_CLUSTER = 64;

/** Fetch standard, "Request", constructor step 36: no body with these. */
const WITHOUT_CONTENT = new Set(['GET', 'HEAD']);

/**
 * `/k8s/clusters/:cluster/*`: whoever calls is named here, and everything else is decided in the cluster's object. Reads no database.
 * Every refusal is a `metav1.Status`.
 * @param facts `address`: whence, as the platform says it; `caller`: whom that stands for
 */
export async function proxyRequest(
  request: Request,
  env: Env,
  config: Config,
  facts: Pick<Known, 'requestId' | 'address' | 'caller' | 'verified' | 'refused'>,
): Promise<Response> {
  const started = Date.now();
  const trace = traceOf(request.headers.get(TRACEPARENT));
  const { requestId } = facts;
  const known: Known = { ...facts, trace, principal: null, line: null };
  let response: Response;
  let failure: unknown;
  try {
    response = await proxy(request, env, config, known);
  } catch (error) {
    failure = error;
    response = statusOfError(error, requestId);
  }
  noteRefusal(request, known, response, started);
  logProxied(known.line ?? lineOf(request, known), response, Date.now() - started, failure);
  return unmarked(response);
}

/** What is known of a request besides what it says itself. */
interface Known {
  readonly requestId: string;
  /** Is told of a caller once in a while. */
  readonly verified: (principal: Principal) => void;
  readonly trace: Trace;
  address(): string | null;
  /** Whose requests count as one, for throttles. */
  readonly caller: () => string | null;
  /** Is told of calls that might have changed something, and that were refused for who asks or how often. */
  readonly refused: (event: AuditEvent) => void;
  /** Null until its token was read. */
  principal: Principal | null;
  /** Null until the cluster was asked. */
  line: BegunLine | null;
}

function lineOf(request: Request, { requestId, trace, principal }: Known): BegunLine {
  const { cluster, target } = parseProxyUrl(request.url) ?? { cluster: '', target: new URL(request.url).pathname };
  return beginLine({
    requestId,
    traceId: trace.traceId,
    method: request.method,
    // Cut off, or one client's address would fill the log; a query may hold a secret.
    path: loggablePath((target.split('?', 1)[0] ?? '').slice(0, MAX_LOGGED_PATH)),
    cluster: cluster.slice(0, MAX_LOGGED_CLUSTER),
    ...(principal === null ? {} : { user: principal.user }),
  });
}

/**
 * One line when the head is sent. Not at the end, which a Worker sees only when each piece of the content passes through it; a watch would be in the log when it is over,
 * and one that hangs never.
 */
function logProxied(line: BegunLine, response: Response, milliseconds: number, failure: unknown): void {
  const { status } = response;
  // Only a refusal has one; asking the headers of every answer makes an object for each.
  const code = status < 400 ? null : response.headers.get(CODE_HEADER);
  endLine(line, {
    status,
    milliseconds,
    ...(code === null ? {} : { code }),
    ...(failure === undefined || failure instanceof OutriderError ? {} : { error: describeError(failure) }),
  });
}

const isWebSocket = (request: Request): boolean => request.headers.get('upgrade')?.toLowerCase() === 'websocket';

/**
 * Answers of 401, 403 and 429 that are the plane's own, and that were given before the call could be sent: what the cluster refuses, or what is refused while the cluster is at work, is an event of its object's. A second
 * one under the same id would keep that one out.
 */
const REFUSED: ReadonlySet<number> = new Set([401, 403, 429]);

/** @param at when it was received, epoch ms */
function noteRefusal(request: Request, known: Known, response: Response, at: number): void {
  const { status } = response;
  if (!REFUSED.has(status)) return;
  const code = response.headers.get(CODE_HEADER);
  const parsed = parseProxyUrl(request.url);
  if (code === null || parsed === null || response.headers.has(TOLD_HEADER)) return;
  const { method } = request;
  const { cluster, target } = parsed;
  if (!ClusterId.safeParse(cluster).success || !mayChange({ method, target, upgrade: isWebSocket(request) })) return;
  const { principal, requestId } = known;
  const event = proxiedEvent({
    ...{ requestId, method, target, cluster, at, address: known.address() },
    // A name is the plane's to know, and this has asked nobody.
    identity: principal === null ? null : { ...principal, username: principal.user },
    userAgent: request.headers.get('user-agent'),
    sentAuditId: request.headers.get(AUDIT_ID_HEADER),
  });
  known.refused(refused(event, code, status, Date.now()));
}

/** Without what the object says to the Worker alone. */
function unmarked(response: Response): Response {
  if (response.status < 400 || !response.headers.has(TOLD_HEADER)) return response;
  const clean = new Response(response.body, response);
  clean.headers.delete(TOLD_HEADER);
  return clean;
}

async function proxy(request: Request, env: Env, config: Config, known: Known): Promise<Response> {
  const { requestId, trace } = known;
  const parsed = proxyUrl(request.url);
  const websocket = isWebSocket(request);
  if (websocket) refuseForeignOrigin(request, config);
  const { caller, verified } = known;
  const principal = await amongStrangers(
    caller,
    async (unknown) => await authenticate(request, config, undefined, { unknown, verified }),
  );
  known.principal = principal;
  const object = async (): Promise<DurableObjectStub<Cluster> | null> =>
    await clusterObject(env, config, parsed.cluster);
  const stub = await object();
  if (stub === null) {
    throw new OutriderError('unknown_cluster', `there is no cluster ${JSON.stringify(parsed.cluster.slice(0, 64))}`);
  }
  const headers = scrubbed(request.headers, { websocket, acceptEncoding: acceptEncoding(request) }).filter(
    ([name]) => name !== TRACEPARENT && (trace.continued || name !== TRACESTATE),
  );
  headers.push([PRINCIPAL_HEADER, writeCaller(principal)], [REQUEST_ID_HEADER, requestId]);
  headers.push([TRACEPARENT, trace.traceparent]);
  if (mayChange({ method: request.method, target: parsed.target, upgrade: websocket })) {
    headers.push([ADDRESS_HEADER, known.address() ?? '']);
  }
  // kube-apiserver takes it for the id of its audit event (apiserver/pkg/endpoints/filters/audit_init.go), so that its log can be joined with ours.
  if (!headers.some(([name]) => name === AUDIT_ID_HEADER)) headers.push([AUDIT_ID_HEADER, requestId]);
  const answer = ask(stub, object, request, headers);
  // The cluster is at work already: what is written now delays nobody.
  known.line = lineOf(request, known);
  const response = await answer;
  return isSpdySession(request.method, parsed.target) ? await answerSpdy(response, requestId) : response;
}

/**
 * Asks the cluster's object; once more, with a new stub, where a deploy reset it before it answered a request without effect (RFC 9110 §9.2.2 lets a proxy
 * repeat those). What never reached the object the platform repeats by itself.
 */
async function ask(
  first: DurableObjectStub<Cluster>,
  another: () => Promise<DurableObjectStub<Cluster> | null>,
  request: Request,
  headers: HeaderList,
): Promise<Response> {
  const { url, method, body } = request;
  const repeatable = body === null && SAFE_METHODS.has(method) && !headers.some(([name]) => name === 'upgrade');
  // Without the request's signal: a client that goes away ends this invocation, and with it what it asked the object.
  const init = { method, headers, body, redirect: 'manual' } as const;
  // A GET with a length, be it 0, has a body here, which only a request made of a request may have.
  const send = (stub: DurableObjectStub<Cluster>): Promise<Response> =>
    body !== null && WITHOUT_CONTENT.has(method)
      ? stub.fetch(new Request(request, { headers, redirect: 'manual' }))
      : stub.fetch(url, init);
  try {
    return await send(first);
  } catch (error) {
    refuseOverload(error);
    if (!repeatable) throw lost();
  }
  const stub = await another();
  if (stub === null) throw unknownCluster();
  try {
    return await send(stub);
  } catch (error) {
    refuseOverload(error);
    throw lost();
  }
}

const lost = (): OutriderError =>
  new OutriderError('tunnel_lost', "the cluster's object was restarted while the request was under way");

/** @throws OutriderError overloaded, where that is what the platform says; Durable Objects, "error handling": it is set on what was refused before it reached the object. */
function refuseOverload(error: unknown): void {
  log('warn', "the cluster's object failed", { error: describeError(error) });
  if (error instanceof Error && 'overloaded' in error && error.overloaded === true) {
    throw new OutriderError('overloaded', "the cluster's object has too many requests under way");
  }
}

/** A browser that was led here by another site brings that site's Origin (CVE-2019-13209); other clients bring none, or ours. */
function refuseForeignOrigin(request: Request, config: Config): void {
  const origin = request.headers.get('origin');
  if (origin !== null && origin !== config.publicUrl) {
    throw new OutriderError('cross_origin', 'WebSockets are opened from the plane’s own pages only');
  }
}

/** What the client can decode. The edge rewrites the field and keeps the original here; a plain workerd does neither. */
function acceptEncoding(request: Request): string | null {
  const original = request.cf?.['clientAcceptEncoding'];
  return typeof original === 'string' ? original : request.headers.get('accept-encoding');
}
