import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { type DemoCluster, startCluster } from '#scripts/demo/cluster.ts';
import { freePort } from '#scripts/lib/port.ts';
import { type Plane, startPlane } from '#scripts/local/plane.ts';
import { type AgentRunner, type AgentWorld, startAgentInProcess, startAgentProcess } from '../processes/agent.ts';
import type { PlaneApi } from '../api.ts';
import { type Hops, straight } from '../hops.ts';
import { type ClientTools, Clients } from '../processes/kubectl.ts';
import { addPerson, firstAdministrator, type Home, type Person, withKubeconfigs } from '../people.ts';
import { installClientGo } from '../tools/clientgo.ts';
import { installHelm } from '../tools/helm.ts';

export interface WorldOptions {
  /** Where the agent runs; `none`: nowhere yet, the test imports the cluster itself. */
  agent: 'process' | 'in-process' | 'none';
  /** With a node, which takes root, or only an API server. @default 'node' */
  cluster?: 'node' | 'api';
  /** The image that the plane's manifest names, for agents in pods. */
  agentImage?: string;
  /** Whether the API server writes an audit log. @default true */
  auditLog?: boolean;
  hops?: Hops;
  /** More for the Worker's environment. */
  vars?: Readonly<Record<string, string>>;
  /** How an agent that is a process runs, where it is not from its sources with Node's defaults. */
  program?: Pick<AgentWorld, 'main' | 'nodeFlags' | 'env'>;
}

/** A plane, a real cluster and an agent between them, and people who may use it. */
export interface World {
  /** An own folder, removed with the world. */
  readonly dir: string;
  readonly cluster: DemoCluster;
  readonly plane: Plane;
  /** Undefined where the test brings its own. */
  readonly agent: AgentRunner | undefined;
  /** Id of the cluster in the plane. */
  readonly clusterId: string;
  /** The management API as the first administrator. */
  readonly api: PlaneApi;
  /** Stock clients as the cluster's own administrator (system:masters), straight to the API server. */
  readonly admin: Clients;
  /** The first administrator, an owner of every cluster. */
  readonly owner: Person;
  readonly tools: ClientTools;
  addPerson(username: string, role: 'owner' | 'member'): Promise<Person>;
  /** Starts an agent as the world's own was started, on which it follows when that was killed. */
  startAgent(): Promise<AgentRunner>;
  /** A further kubeconfig of a person, with a token of its own. */
  anotherKubeconfig(person: Person): Promise<Person>;
  /** Ends everything and removes its traces. Does no harm twice. */
  stop(): Promise<void>;
}

const AGENTS = { process: startAgentProcess, 'in-process': startAgentInProcess } as const;

/** The account whose token a pod of the agent would have mounted. */
const BOOTSTRAP = ['-n', 'outrider-system', 'create', 'token', 'outrider-agent'];

const say = (line: string): void => {
  if (process.env['OUTRIDER_TEST_VERBOSE']) console.log(line);
};

/** Starts a world, which takes some ten seconds; resolves when requests go through it. */
export async function startWorld(options: WorldOptions): Promise<World> {
  const undo: (() => Promise<unknown>)[] = [];
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopped ??= runBackwards(undo));
  try {
    return await start(options, undo, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

async function start(
  {
    agent: kind,
    cluster: size = 'node',
    agentImage,
    auditLog = true,
    hops = straight,
    vars = {},
    program = {},
  }: WorldOptions,
  undo: (() => Promise<unknown>)[],
  stop: () => Promise<void>,
): Promise<World> {
  const dir = await mkdtemp(join(tmpdir(), 'outrider-world-'));
  undo.push(() => rm(dir, { recursive: true, force: true }));

  const [cluster, helm, clientGo] = await Promise.all([
    startCluster({ dir: join(dir, 'cluster'), log: say, apiOnly: size === 'api', auditLog }),
    installHelm(say),
    installClientGo(say),
  ]);
  undo.push(() => cluster.stop());
  const tools: ClientTools = { kubectl: cluster.kubectlPath, helm, clientGo };

  // Listens where pods can dial it, and only there.
  const host = cluster.bridgeAddress;
  const port = await freePort(host, 0);
  const plane = await startPlane({ dataDir: join(dir, 'plane'), host, port, say, agentImage, vars });
  undo.push(() => plane.stop(true));
  const serverForClients = new URL(await hops('client-to-plane', plane.url));
  const serverForAgents = await hops('agent-to-plane', plane.url);
  const apiServer = await hops('agent-to-api-server', cluster.apiServer);

  const [administratorId, api] = await firstAdministrator(plane);
  undo.push(() => api.close());
  const { id: clusterId } = await api.json(z.object({ id: z.string() }), 'POST', '/v1/clusters', {
    metadata: { name: 'e2e' },
    spec: {},
  });
  const home: Home = {
    dir,
    plane,
    clusterId,
    tools,
    adminKubeconfig: cluster.adminKubeconfig,
    serverOf: (url) => Object.assign(new URL(url), { host: serverForClients.host }).href,
  };
  const admin = new Clients(tools, cluster.adminKubeconfig, join(dir, 'admin'));

  let startAgent = (): Promise<AgentRunner> => Promise.reject(new Error('this world was started without an agent'));
  let agent: AgentRunner | undefined;
  if (kind !== 'none') {
    const { manifest, registrationToken } = await importManifest(api, clusterId);
    await admin.ok(['apply', '-f', '-'], { input: withoutPods(manifest) });
    const settings: AgentWorld = {
      dir: join(dir, 'agent'),
      server: serverForAgents,
      serverCa: plane.caPem,
      apiServer,
      apiServerCa: cluster.caPem,
      bootstrapToken: (await admin.ok(BOOTSTRAP)).trim(),
      registrationToken,
      ...program,
    };
    startAgent = async () => {
      const started = await AGENTS[kind](settings);
      // At once: a stream that a failed test has left open would be waited for.
      undo.push(() => started.kill());
      return started;
    };
    agent = await startAgent();
    await agent.waitConnected();
  }

  const username = 'admin';
  const groups = ['outrider.dev:cluster-owner'];
  const owner = await withKubeconfigs(home, { id: administratorId, username, groups, api });
  return {
    dir,
    cluster,
    plane,
    agent,
    clusterId,
    api,
    admin,
    owner,
    tools,
    startAgent,
    addPerson: (name, role) => addPerson(home, api, name, role),
    anotherKubeconfig: (person) => withKubeconfigs(home, person),
    stop,
  };
}

const registrationAnswer = z.object({ importUrl: z.url(), importCommand: z.string() });

/** What the plane gives to whoever imports the cluster. */
export type Registration = z.infer<typeof registrationAnswer>;

/** Asks for a registration token. */
export async function register(api: PlaneApi, clusterId: string): Promise<Registration> {
  return await api.json(registrationAnswer, 'POST', `/v1/clusters/${clusterId}/registration-tokens`, { spec: {} });
}

/** Registers the cluster. @returns the manifest as the plane gives it, and the token in it. */
export async function importManifest(
  api: PlaneApi,
  clusterId: string,
): Promise<{ manifest: string; registrationToken: string }> {
  const { pathname } = new URL((await register(api, clusterId)).importUrl);
  const registrationToken = /^\/import\/([a-z2-7]+)\.yaml$/.exec(pathname)?.[1] ?? '';
  return { manifest: await api.text('GET', pathname), registrationToken };
}

/** The manifest for an agent that runs outside the cluster: everything but what makes pods. */
export function withoutPods(manifest: string): string {
  const kept = parseAllDocuments(manifest).filter((document) => document.get('kind') !== 'Deployment');
  return kept.map(String).join('---\n');
}

/** Runs every step, also after one has failed; throws the first failure. */
async function runBackwards(steps: readonly (() => Promise<unknown>)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const step of steps.toReversed()) await step().catch((error: unknown) => failures.push(error));
  if (failures.length > 0) throw failures[0];
}
