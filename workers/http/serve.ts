import { unknownCluster } from '#schema/errors.ts';
import { randomBase32 } from '#schema/ids.ts';
import { announcedCommit, type Announced } from '../access/commit.ts';
import type { Deps } from '../api/handler.ts';
import type { Cluster } from '../cluster/object.ts';
import { clusterObject, newClusterId } from '../cluster/stub.ts';
import { CONNECT_PATH, pathOf } from '../cluster/target.ts';
import { dialTunnel } from '../connect/tunnel.ts';
import { readConfig, type Config } from '../env.ts';
import { describeError, loggablePath, logRequest } from '../log.ts';
import { codeOf, problemResponse } from '../problem.ts';
import { proxyRequest } from '../proxy/route.ts';
import { statusOfError } from '../status.ts';
import { callerOf } from './address.ts';
import { createApp } from './app.ts';

/** 80 bits: names a request in the log, and nothing else. */
const REQUEST_ID_LENGTH = 16;

const app = createApp();

/** Every request of the plane. `/k8s` and tunnels go their own way first: nothing of the management API is in the way of kubectl. */
export async function serve(request: Request, env: Env, context: ExecutionContext): Promise<Response> {
  const requestId = randomBase32(REQUEST_ID_LENGTH);
  const pathname = pathOf(request.url);
  const forKubectl = pathname.startsWith('/k8s/');
  try {
    const config = await readConfig(env);
    if (forKubectl) return await proxyRequest(request, env, config, requestId);
    if (pathname === CONNECT_PATH) {
      return await dialTunnel(request, env, config, { requestId, address: clientAddress(request) });
    }
    return await app.fetch(request, { requestId, deps: depsOf(request, env, config, context) }, context);
  } catch (error) {
    const code = codeOf(error);
    // Where the configuration is not usable, kubectl hears of it in its own words too.
    const response = forKubectl ? statusOfError(error, requestId) : problemResponse(error, requestId);
    response.headers.set('x-request-id', requestId);
    logRequest({
      requestId,
      method: request.method,
      path: loggablePath(pathname),
      status: response.status,
      milliseconds: 0,
      code,
      ...(code === 'internal' ? { error: describeError(error) } : {}),
    });
    return response;
  }
}

function depsOf(request: Request, env: Env, config: Config, context: ExecutionContext): Deps {
  return {
    db: env.DB,
    config,
    commit: announcedCommit({
      db: env.DB,
      dispatcher: () => dispatcher(env),
      waitUntil: (work) => context.waitUntil(work),
    }),
    now: Math.floor(Date.now() / 1000),
    address: clientAddress(request),
    newClusterId: async () => await newClusterId(config),
    clusterStatus: async (clusterId) => await (await existing(env, config, clusterId)).status(),
    clusterMetrics: async (clusterId) => await (await existing(env, config, clusterId)).metrics(clusterId),
  };
}

async function existing(env: Env, config: Config, clusterId: string): Promise<DurableObjectStub<Cluster>> {
  const stub = await clusterObject(env, config, clusterId);
  if (stub === null) throw unknownCluster();
  return stub;
}

/** Who calls, for throttles: the edge sets a field; a plain workerd says `address:port`, and its configuration removes the field where a client sends it. */
function clientAddress(request: Request): string | null {
  const peer = request.headers.get('cf-connecting-ip') ?? request.cf?.['clientIp'];
  return typeof peer === 'string' ? callerOf(peer) : null;
}

/** One dispatcher for the plane. */
function dispatcher(env: Env): Announced {
  return env.DISPATCHER.get(env.DISPATCHER.idFromName('main'));
}
