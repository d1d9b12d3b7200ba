import type { Principal } from '#schema/access.ts';
import type { AuditEvent } from '#schema/audit/event.ts';
import { unknownCluster } from '#schema/errors.ts';
import { randomBase32 } from '#schema/ids.ts';
import { announcedCommit, type Announced } from '../access/commit.ts';
import { lookAfterAudit } from '../audit/look.ts';
import type { Deps } from '../api/handler.ts';
import { noteUse } from '../authn/use.ts';
import type { Cluster } from '../cluster/object.ts';
import { Content } from '../cluster/request/content.ts';
import { clusterObject, newClusterId } from '../cluster/stub.ts';
import { CONNECT_PATH, pathOf } from '../cluster/request/target.ts';
import { dialTunnel } from '../connect/tunnel.ts';
import { knownConfig, readConfig, type Config } from '../env.ts';
import { describeError, loggablePath, logRequest } from '../log.ts';
import { codeOf, problemResponse } from '../problem.ts';
import { proxyRequest, type Facts } from '../proxy/route.ts';
import { statusOfError } from '../status.ts';
import { addressOf, callerOf } from './address.ts';
import { createApp } from './app.ts';
import { askDirectory } from './ask.ts';
import { Refusals } from './refusals.ts';

/** 80 bits: names a request in the log, and nothing else. */
const REQUEST_ID_LENGTH = 16;

const app = createApp();

/** Of this isolate; its clock begins with the first request, since there is none before. */
let refusals: Refusals | null = null;

/** Every request of the plane. */
export async function serve(request: Request, env: Env, context: ExecutionContext): Promise<Response> {
  const response = await answer(request, env, context);
  // Where nobody has begun to read, nobody will: what was handed on is dealt with there.
  if (response.status >= 400 && !request.bodyUsed) await Content.of(request)?.answered(response.status);
  return response;
}

/** `/k8s` and tunnels go their own way first: nothing of the management API is in the way of kubectl. */
async function answer(request: Request, env: Env, context: ExecutionContext): Promise<Response> {
  const requestId = randomBase32(REQUEST_ID_LENGTH);
  const pathname = pathOf(request.url);
  const forKubectl = pathname.startsWith('/k8s/');
  try {
    const config = knownConfig() ?? (await readConfig(env));
    if (forKubectl)
      return await proxyRequest(request, env, config, new KubectlCall(request, env, config, context, requestId));
    if (pathname === CONNECT_PATH) {
      return await dialTunnel(request, env, config, { requestId, address: clientAddress(request) });
    }
    return await app.fetch(request, { requestId, deps: depsOf(request, env, config, context, requestId) }, context);
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

/** What the proxy may ask about a request, and tell of it. */
class KubectlCall implements Facts {
  readonly requestId: string;
  readonly #request: Request;
  readonly #env: Env;
  readonly #config: Config;
  readonly #context: ExecutionContext;

  constructor(request: Request, env: Env, config: Config, context: ExecutionContext, requestId: string) {
    this.requestId = requestId;
    this.#request = request;
    this.#env = env;
    this.#config = config;
    this.#context = context;
  }

  address(): string | null {
    return peerOf(this.#request);
  }

  caller(): string | null {
    return clientAddress(this.#request);
  }

  verified({ token }: Principal): void {
    const waitUntil = (work: Promise<unknown>): void => this.#context.waitUntil(work);
    noteUse({ db: this.#env.DB, waitUntil }, token, this.caller(), Math.floor(Date.now() / 1000));
  }

  refused(event: AuditEvent): void {
    noteRefusal(this.#env, this.#config, this.#context)(event);
  }
}

function depsOf(request: Request, env: Env, config: Config, context: ExecutionContext, requestId: string): Deps {
  const now = Math.floor(Date.now() / 1000);
  return {
    db: env.DB,
    config,
    commit: announcedCommit({
      db: env.DB,
      dispatcher: () => dispatcher(env),
      waitUntil: (work) => context.waitUntil(work),
    }),
    now,
    address: clientAddress(request),
    requestId,
    peer: peerOf(request),
    named: () => undefined,
    auditUpkeep: () => context.waitUntil(lookAfterAudit(env)),
    refused: noteRefusal(env, config, context),
    answer: new Headers(),
    waitUntil: (work) => context.waitUntil(work),
    newClusterId: async () => await newClusterId(config),
    clusterStatus: async (clusterId) => await (await existing(env, config, clusterId)).status(),
    clusterMetrics: async (clusterId) => await (await existing(env, config, clusterId)).metrics(clusterId),
    askDirectory: async (via, question) => await askDirectory(env, config, via, question),
    armRefresher: async (at) => await env.REFRESHER.get(env.REFRESHER.idFromName('main')).arm(at),
  };
}

async function existing(env: Env, config: Config, clusterId: string): Promise<DurableObjectStub<Cluster>> {
  const stub = await clusterObject(env, config, clusterId);
  if (stub === null) throw unknownCluster();
  return stub;
}

/** Whence a request comes: the edge sets a field; a plain workerd says `address:port`, and its configuration removes the field where a client sends it. */
function peer(request: Request): string | null {
  const said = request.headers.get('cf-connecting-ip') ?? request.cf?.['clientIp'];
  return typeof said === 'string' ? said : null;
}

/** Who calls, for throttles. */
function clientAddress(request: Request): string | null {
  const said = peer(request);
  return said === null ? null : callerOf(said);
}

/** Who calls, for the audit log: to the last bit. */
function peerOf(request: Request): string | null {
  const said = peer(request);
  return said === null ? null : addressOf(said);
}

/** Writes a refusal into the audit log. */
function noteRefusal(env: Env, { audit }: Config, context: ExecutionContext): (event: AuditEvent) => void {
  return (event) => {
    if (audit.level === 'None') return;
    const now = Date.now();
    refusals ??= new Refusals(now);
    refusals.note(
      {
        db: env.DB,
        rows: audit.window.rows,
        waitUntil: (work) => context.waitUntil(work),
        upkeep: () => context.waitUntil(lookAfterAudit(env)),
      },
      event,
      now,
    );
  };
}

/** One dispatcher for the plane. */
function dispatcher(env: Env): Announced {
  return env.DISPATCHER.get(env.DISPATCHER.idFromName('main'));
}
