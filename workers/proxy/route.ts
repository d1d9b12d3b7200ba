import { OutriderError, unknownCluster } from '#schema/errors.ts';
import { authenticate } from '../authn/bearer.ts';
import { PRINCIPAL_HEADER, writeCaller } from '../cluster/caller.ts';
import { REQUEST_ID_HEADER } from '../cluster/fields.ts';
import { clusterObject } from '../cluster/stub.ts';
import { proxyUrl } from '../cluster/target.ts';
import type { Config } from '../env.ts';
import { describeError, log } from '../log.ts';
import { statusOfError } from '../status.ts';
import { scrubbed } from './headers.ts';
import { answerSpdy, isSpdySession } from './spdy.ts';

/** RFC 9110 §9.2.1. */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * `/k8s/clusters/:cluster/*`: whoever calls is named here, and everything else is decided in the cluster's object. Reads no database.
 * Every refusal is a `metav1.Status`.
 */
export async function proxyRequest(request: Request, env: Env, config: Config, requestId: string): Promise<Response> {
  try {
    return await proxy(request, env, config, requestId);
  } catch (error) {
    if (!(error instanceof OutriderError)) log('error', 'request failed', { requestId, error: describeError(error) });
    return statusOfError(error, requestId);
  }
}

async function proxy(request: Request, env: Env, config: Config, requestId: string): Promise<Response> {
  const parsed = proxyUrl(request.url);
  const websocket = request.headers.get('upgrade')?.toLowerCase() === 'websocket';
  if (websocket) refuseForeignOrigin(request, config);
  const principal = await authenticate(request, config);
  if ((await clusterObject(env, config, parsed.cluster)) === null) {
    throw new OutriderError('unknown_cluster', `there is no cluster ${JSON.stringify(parsed.cluster.slice(0, 64))}`);
  }
  const headers = scrubbed(request.headers, { websocket, acceptEncoding: acceptEncoding(request) });
  headers.set(PRINCIPAL_HEADER, writeCaller(principal));
  headers.set(REQUEST_ID_HEADER, requestId);
  const response = await ask(env, config, parsed.cluster, request, headers);
  return isSpdySession(request.method, parsed.target) ? await answerSpdy(response, requestId) : response;
}

/**
 * Asks the cluster's object; once more, with a new stub, where a deploy reset it before it answered a request without effect (RFC 9110 §9.2.2 lets a proxy
 * repeat those). What never reached the object the platform repeats by itself.
 */
async function ask(env: Env, config: Config, cluster: string, request: Request, headers: Headers): Promise<Response> {
  const { url, method, body, signal } = request;
  const repeatable = body === null && SAFE.has(method) && !headers.has('upgrade');
  for (let attempt = 1; ; attempt++) {
    const stub = await clusterObject(env, config, cluster);
    if (stub === null) throw unknownCluster();
    try {
      return await stub.fetch(url, { method, headers, body, signal, redirect: 'manual' });
    } catch (error) {
      log('warn', "the cluster's object failed", { cluster, attempt, error: describeError(error) });
      if (isOverloaded(error)) {
        throw new OutriderError('overloaded', "the cluster's object has too many requests under way");
      }
      if (attempt > 1 || !repeatable) {
        throw new OutriderError('tunnel_lost', "the cluster's object was restarted while the request was under way");
      }
    }
  }
}

/** Durable Objects, "error handling": set on what the platform refused before it reached the object. */
function isOverloaded(error: unknown): boolean {
  return error instanceof Error && 'overloaded' in error && error.overloaded === true;
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
