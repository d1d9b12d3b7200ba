import { base64url } from 'jose';
import type { Principal } from '#schema/access.ts';
import { OutriderError } from '#schema/errors.ts';
import { authenticate } from '../authn/bearer.ts';
import { PRINCIPAL_HEADER, REQUEST_ID_HEADER } from '../cluster/fields.ts';
import { clusterObject } from '../cluster/stub.ts';
import { proxyUrl } from '../cluster/target.ts';
import type { Config } from '../env.ts';
import { statusOfError } from '../status.ts';
import { scrubbed } from './headers.ts';
import { answerSpdy, isSpdySession } from './spdy.ts';

/** Methods that may be sent again when the object was reset before it answered. */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * `/k8s/clusters/:cluster/*`: whoever calls is named here, and everything else is decided in the cluster's object. Reads no database.
 * Every refusal is a `metav1.Status`.
 */
export async function proxyRequest(request: Request, env: Env, config: Config, requestId: string): Promise<Response> {
  try {
    return await proxy(request, env, config, requestId);
  } catch (error) {
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
  headers.set(PRINCIPAL_HEADER, encodePrincipal(principal));
  headers.set(REQUEST_ID_HEADER, requestId);
  const response = await ask(env, config, parsed.cluster, new Request(request, { headers, redirect: 'manual' }));
  return isSpdySession(request.method, parsed.target) ? await answerSpdy(response, requestId) : response;
}

/** Asks the cluster's object; once more, with a new stub, where it was reset by a deploy and nothing can have been done twice. */
async function ask(env: Env, config: Config, cluster: string, request: Request): Promise<Response> {
  for (let attempt = 1; ; attempt++) {
    const stub = await clusterObject(env, config, cluster);
    if (stub === null) throw new OutriderError('unknown_cluster', 'there is no such cluster');
    try {
      return await stub.fetch(request.body === null ? request.clone() : request);
    } catch (error) {
      const again =
        attempt === 1 && request.body === null && IDEMPOTENT.has(request.method) && !request.headers.has('upgrade');
      if (isOverloaded(error))
        throw new OutriderError('overloaded', "the cluster's object has too many requests under way");
      if (!again)
        throw new OutriderError('tunnel_lost', "the cluster's object was restarted while the request was under way");
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

function encodePrincipal(principal: Principal): string {
  return base64url.encode(JSON.stringify(principal));
}
