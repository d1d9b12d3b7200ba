import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { startAgent } from '#agent/agent.ts';
import { readConfig } from '#agent/config.ts';
import { createLogger } from '#agent/log.ts';

/** What an agent outside a pod is told; the rest is as in a pod. */
export interface AgentWorld {
  /** Folder for the files that Kubernetes would mount. */
  dir: string;
  /** Origin of the plane. */
  server: string;
  /** PEM; '' where the plane's certificate is publicly trusted. */
  serverCa: string;
  /** Origin of the API server. */
  apiServer: string;
  apiServerCa: string;
  /** Token of the `outrider-agent` account. */
  bootstrapToken: string;
  registrationToken: string;
  /** More environment, such as HTTPS_PROXY. */
  env?: Record<string, string>;
  /** Bundle to run instead of the sources, for {@link startAgentProcess}. */
  main?: string;
  /** Flags of the Node that runs it. */
  nodeFlags?: readonly string[];
}

/** An agent that a suite can treat alike, however it runs. */
export interface AgentRunner {
  /** Its log lines so far, oldest first. */
  readonly log: readonly Record<string, unknown>[];
  /** Of the process that it runs in. */
  readonly pid: number;
  waitConnected(): Promise<void>;
  /** The text of `/metrics`. */
  metrics(): Promise<string>;
  /** Ends it in order, as SIGTERM does; resolves when it has ended. */
  stop(): Promise<void>;
  /** Ends it at once, as SIGKILL does. */
  kill(): Promise<void>;
}

/** Starts an agent in this process. Resolves before it is connected. */
export async function startAgentInProcess(world: AgentWorld): Promise<AgentRunner> {
  const log: Record<string, unknown>[] = [];
  const config = readConfig([], await agentEnvironment(world));
  const logger = createLogger('debug', (line) => log.push(JSON.parse(line)));
  const agent = await startAgent(config, logger);
  return {
    log,
    pid: process.pid,
    waitConnected: () => agent.whenConnected(),
    metrics: () => agent.metrics(),
    stop: () => agent.stop(),
    kill: () => agent.kill(),
  };
}

/** Starts an agent as a process of its own. Resolves once it says that it has started. */
export async function startAgentProcess(world: AgentWorld): Promise<AgentRunner> {
  const log: Record<string, unknown>[] = [];
  const env = await agentEnvironment(world);
  const main = world.main ?? join(import.meta.dirname, '..', '..', '..', 'agent', 'main.ts');
  const child = spawn(process.execPath, [...(world.nodeFlags ?? []), main], {
    env: { ...env, OUTRIDER_LOG_LEVEL: 'debug' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const waiters = new Set<() => void>();
  createInterface({ input: child.stdout }).on('line', (line) => {
    log.push(JSON.parse(line));
    for (const waiter of waiters) waiter();
  });
  void exited.then(() => {
    for (const waiter of waiters) waiter();
  });
  const said = (message: string): Promise<Record<string, unknown>> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const line = log.find((entry) => entry['message'] === message);
        if (line === undefined && child.exitCode === null && child.signalCode === null) return;
        waiters.delete(look);
        if (line === undefined) reject(new Error(`the agent ended: ${JSON.stringify(log.at(-1))}`));
        else resolve(line);
      };
      waiters.add(look);
      look();
    });
  const started = await said('the agent has started');
  return {
    log,
    pid: child.pid ?? 0,
    waitConnected: async () => void (await said('the tunnel is up')),
    metrics: async () => (await fetch(`http://127.0.0.1:${String(started['statusPort'])}/metrics`)).text(),
    stop: async () => {
      child.kill('SIGTERM');
      await exited;
    },
    kill: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/** Writes what a pod would have mounted, and gives the environment that points there. */
export async function agentEnvironment(world: AgentWorld): Promise<Record<string, string>> {
  const { dir } = world;
  await mkdir(dir, { recursive: true });
  const file = async (name: string, content: string): Promise<string> => {
    const path = join(dir, name);
    await writeFile(path, content, { mode: 0o600 });
    return path;
  };
  return {
    OUTRIDER_SERVER: world.server,
    OUTRIDER_CA_FILE: await file('plane-ca.crt', world.serverCa),
    OUTRIDER_REGISTRATION_TOKEN_FILE: await file('registration-token', world.registrationToken),
    OUTRIDER_API_SERVER: world.apiServer,
    OUTRIDER_API_SERVER_CA_FILE: await file('api-ca.crt', world.apiServerCa),
    OUTRIDER_API_SERVER_TOKEN_FILE: await file('bootstrap-token', world.bootstrapToken),
    OUTRIDER_STATUS_ADDRESS: '127.0.0.1',
    OUTRIDER_STATUS_PORT: '0',
    ...world.env,
  };
}
