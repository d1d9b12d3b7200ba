import type { Principal } from '#schema/access.ts';
import { refused, type AuditEvent } from '#schema/audit/event.ts';
import { mayChange } from '#schema/audit/request-info.ts';
import { OutriderError, unknownCluster } from '#schema/errors.ts';
import { SAFE_METHODS } from '#schema/http/methods.ts';
import { TRACEPARENT, traceOf, type Trace } from '#schema/http/trace.ts';
import { ClusterId } from '#schema/ids.ts';
import { proxiedEvent } from '../audit/events.ts';
import { authenticate, rememberedCaller } from '../authn/bearer.ts';
import type { Cluster } from '../cluster/object.ts';
import { writeCaller } from '../cluster/request/caller.ts';
import { AUDIT_ID_HEADER } from '../cluster/request/fields.ts';
import { clusterObject, knownObject } from '../cluster/stub.ts';
import { notOfProxy, parseProxyUrl, type ProxyTarget } from '../cluster/request/target.ts';
import { FORMER_CALLER_HEADER, outOfStep, withWord } from '../cluster/request/word.ts';
import type { Config } from '../env.ts';
import { beginLine, type BegunLine, describeError, endLine, log, loggablePath } from '../log.ts';
import { CODE_HEADER, statusOfError, TOLD_HEADER } from '../status.ts';
import { answerSpdy, isSpdySession } from './spdy.ts';
import { amongStrangers } from './strangers.ts';

/** An API server's paths are far shorter. */
const MAX_LOGGED_PATH = 1024;

/** Room for any id; what a client makes up may be longer. */
const MAX_LOGGED_CLUSTER = 64;

/** What is known of whoever asks besides what they say, and who is to hear of it. */
export interface Facts {
  readonly requestId: string;
  /** Whence, as the platform says it. */
  address(): string | null;
  /** Whom that stands for: whose requests count as one, for throttles. */
  caller(): string | null;
  /** Is told of a caller once in a while. */
  verified(principal: Principal): void;
  /** Is told of calls that might have changed something, and that were refused for who asks or how often. */
  refused(event: AuditEvent): void;
}

/**
 * `/k8s/clusters/:cluster/*`: whoever calls is named here, and everything else is decided in the cluster's object. Reads no database.
 * Every refusal is a `metav1.Status`.
 */
export async function proxyRequest(request: Request, env: Env, config: Config, facts: Facts): Promise<Response> {
  const started = Date.now();
  const trace = traceOf(request.headers.get(TRACEPARENT));
  const known: Known = { facts, trace, parsed: parseProxyUrl(request.url), principal: null, line: null };
  let response: Response;
  let failure: unknown;
  try {
    response = await proxy(request, env, config, known);
  } catch (error) {
    failure = error;
    response = statusOfError(error, facts.requestId);
  }
  noteRefusal(request, known, response, started);
  logProxied(known.line ?? lineOf(request, known), response, Date.now() - started, failure);
  return unmarked(response);
}

/** What was found out so far. */
interface Known {
  readonly facts: Facts;
  readonly trace: Trace;
  /** Null: the URL is not the proxy's. */
  readonly parsed: ProxyTarget | null;
  /** Null until its token was read. */
  principal: Principal | null;
  /** Null until the cluster was asked. */
  line: BegunLine | null;
}

function lineOf(request: Request, { facts, trace, parsed, principal }: Known): BegunLine {
  const { cluster, target } = parsed ?? { cluster: '', target: new URL(request.url).pathname };
  return beginLine({
    requestId: facts.requestId,
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
  const { parsed, principal, facts } = known;
  if (code === null || parsed === null || response.headers.has(TOLD_HEADER)) return;
  const { method } = request;
  const { cluster, target } = parsed;
  if (!ClusterId.safeParse(cluster).success || !mayChange({ method, target, upgrade: isWebSocket(request) })) return;
  const { requestId } = facts;
  const event = proxiedEvent({
    ...{ requestId, method, target, cluster, at, address: facts.address() },
    // A name is the plane's to know, and this has asked nobody.
    identity: principal === null ? null : { ...principal, username: principal.user },
    userAgent: request.headers.get('user-agent'),
    sentAuditId: request.headers.get(AUDIT_ID_HEADER),
  });
  facts.refused(refused(event, code, status, Date.now()));
}

/** Without what the object says to the Worker alone. */
function unmarked(response: Response): Response {
  if (response.status < 400 || !response.headers.has(TOLD_HEADER)) return response;
  const clean = new Response(response.body, response);
  clean.headers.delete(TOLD_HEADER);
  return clean;
}

async function proxy(request: Request, env: Env, config: Config, known: Known): Promise<Response> {
  const { facts, trace, parsed } = known;
  const { requestId } = facts;
  if (parsed === null) throw notOfProxy();
  if (request.headers.has(FORMER_CALLER_HEADER)) throw outOfStep();
  const websocket = isWebSocket(request);
  if (websocket) refuseForeignOrigin(request, config);
  const principal = rememberedCaller(request, config) ?? (await callerOf(request, config, facts));
  known.principal = principal;
  const object = async (): Promise<DurableObjectStub<Cluster> | null> =>
    await clusterObject(env, config, parsed.cluster);
  const stub = knownObject(env, parsed.cluster) ?? (await object());
  if (stub === null) {
    throw new OutriderError('unknown_cluster', `there is no cluster ${JSON.stringify(parsed.cluster.slice(0, 64))}`);
  }
  const acts = mayChange({ method: request.method, target: parsed.target, upgrade: websocket });
  const url = withWord(request.url, {
    ...{ kind: 'call', caller: writeCaller(principal), requestId },
    ...{ traceparent: trace.traceparent, continued: trace.continued, acceptEncoding: originalEncoding(request) },
    address: acts ? (facts.address() ?? '') : '',
  });
  const answer = ask(stub, object, request, { url, repeatable: !websocket && SAFE_METHODS.has(request.method) });
  // The cluster is at work already: what is written now delays nobody.
  known.line = lineOf(request, known);
  const response = await answer;
  return isSpdySession(request.method, parsed.target) ? await answerSpdy(response, requestId) : response;
}

/** Who is calling, by a look at their token. @throws OutriderError unauthenticated, overloaded */
async function callerOf(request: Request, config: Config, facts: Facts): Promise<Principal> {
  const verified = (principal: Principal): void => facts.verified(principal);
  return await amongStrangers(
    () => facts.caller(),
    async (unknown) => await authenticate(request, config, undefined, { unknown, verified }),
  );
}

/**
 * Asks the cluster's object; once more, with a new stub, where a deploy reset it before it answered a request without effect (RFC 9110 §9.2.2 lets a proxy
 * repeat those). What never reached the object the platform repeats by itself.
 */
async function ask(
  first: DurableObjectStub<Cluster>,
  another: () => Promise<DurableObjectStub<Cluster> | null>,
  request: Request,
  { url, repeatable }: { url: string; repeatable: boolean },
): Promise<Response> {
  // Handed on as it came: to make another of it would take longer than all that is decided here.
  const send = (stub: DurableObjectStub<Cluster>): Promise<Response> => stub.fetch(url, request);
  try {
    return await send(first);
  } catch (error) {
    refuseOverload(error);
    if (!repeatable || request.body !== null) throw lost();
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

/** What the client can decode. The edge, which gives every request a `cf-ray`, rewrites the field and keeps the original beside it; a plain workerd does neither, and asking it costs. */
function originalEncoding(request: Request): string | null {
  if (!request.headers.has('cf-ray')) return null;
  const original = request.cf?.['clientAcceptEncoding'];
  return typeof original === 'string' ? original : null;
}
