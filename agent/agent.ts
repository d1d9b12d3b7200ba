import { registerAgent } from '#schema/api/clusters/connect.ts';
import { randomBase32 } from '#schema/ids.ts';
import { MANAGER_ACCOUNT, PROXY_ACCOUNT } from '#schema/kube/names.ts';
import type { Config } from './config.ts';
import { serveStatus } from './health.ts';
import { Account } from './kube/accounts.ts';
import { apiServer } from './kube/api-server.ts';
import { type Bearer, type KubeCalls, kubeCalls } from './kube/calls.ts';
import { readOptionalFile, RotatedFile } from './kube/files.ts';
import { createPool } from './kube/pool.ts';
import type { Logger } from './log.ts';
import { AgentMetrics } from './metrics.ts';
import { Questions } from './roles/cluster/call.ts';
import { Budget } from './roles/cluster/upgrade/messages.ts';
import { enroller, type Registration } from './roles/cluster/register.ts';
import { responders } from './roles/cluster/responder.ts';
import { CAPABILITIES, streamServer } from './roles/cluster/serve.ts';
import { dial } from './tunnel/dial.ts';
import { egressTo } from './tunnel/egress.ts';
import { postJson } from './tunnel/plane.ts';
import { TunnelRunner } from './tunnel/runner.ts';
import { AGENT_VERSION } from './version.ts';

/** Length of an instance's name: 16 of 32 characters, 80 random bits. */
const INSTANCE_LENGTH = 16;

/** The plane signs and stores; past this it is not well, ms. */
const REGISTER_TIMEOUT_MS = 30_000;

/** A running cluster agent. */
export interface Agent {
  /** Where `/healthz` and `/metrics` are served. */
  readonly statusPort: number;
  /** Resolves once a tunnel is settled. */
  whenConnected(): Promise<void>;
  metrics(): Promise<string>;
  /** Drains and ends; `graceMs` for streams under way. */
  stop(graceMs?: number): Promise<void>;
  /** Ends at once, as a crash would. */
  kill(): Promise<void>;
}

/**
 * Puts a cluster agent together and starts it. It goes on dialling, whatever fails, until it is stopped.
 * @throws Error when the status port is taken.
 */
export async function startAgent(config: Config, log: Logger): Promise<Agent> {
  const metrics = new AgentMetrics(AGENT_VERSION);
  const api = apiServer(config.apiServer, config.apiServerCaFile);
  const pool = createPool(api);
  const { proxy, manager } = accounts(config, (bearer) => kubeCalls(pool, bearer));
  const server = new URL(config.server);
  const egress = () =>
    egressTo(server, { caFile: config.caFile, proxyUrl: config.proxy.url, exceptions: config.proxy.exceptions });

  const runner = new TunnelRunner({
    instance: randomBase32(INSTANCE_LENGTH),
    role: 'cluster',
    agentVersion: AGENT_VERSION,
    capabilities: CAPABILITIES,
    enrol: enroller({
      kube: manager,
      namespace: config.namespace,
      registrationToken: () => readOptionalFile(config.registrationTokenFile),
      register: async (registration: Registration) =>
        postJson(new URL(registerAgent.path, server), registration, await egress(), REGISTER_TIMEOUT_MS),
      log,
    }),
    dial: async (credential, signal) => dial(server, credential, await egress(), signal),
    serve: streamServer({
      api,
      pool,
      proxy,
      borrowed: new Budget(),
      questions: new Questions(responders(log)),
      metrics,
      log,
    }),
    metrics,
    log,
  });

  const status = await serveStatus(config.statusAddress, config.statusPort, {
    connected: () => runner.connected,
    metrics: () => metrics.text(),
    metricsContentType: metrics.contentType,
  });
  log.info('the agent has started', {
    version: AGENT_VERSION,
    server: server.origin,
    apiServer: api.origin,
    statusPort: status.port,
  });
  const running = runner.run();
  const end = async (): Promise<void> => {
    await running;
    await Promise.all([status.close(), pool.destroy()]);
  };
  return {
    statusPort: status.port,
    whenConnected: () => runner.whenConnected(),
    metrics: () => metrics.text(),
    stop: async (graceMs) => {
      await runner.stop(graceMs);
      await end();
    },
    kill: async () => {
      runner.kill('killed');
      await end();
    },
  };
}

/** The chain of accounts: the pod's token asks for the two others, and nothing else is done with it. */
function accounts(config: Config, callsWith: (bearer: Bearer) => KubeCalls): { proxy: Account; manager: KubeCalls } {
  const bootstrapToken = new RotatedFile(config.apiServerTokenFile);
  const bootstrap = callsWith({ token: () => bootstrapToken.readNow(), refused: () => undefined });
  const account = (name: string): Account => new Account(name, () => bootstrap.createToken(config.namespace, name));
  const manager = account(MANAGER_ACCOUNT);
  return { proxy: account(PROXY_ACCOUNT), manager: callsWith(manager) };
}
