import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPki } from '#scripts/demo/pki.ts';
import type { AgentRunner, AgentWorld } from '../processes/agent.ts';
import { FakeApiServer } from './api-server.ts';
import { FakePlane, type Identity, type PlaneTunnel } from './plane.ts';

/** Certificates of 127.0.0.1 by a CA of their own. */
export interface TestPki {
  dir: string;
  caPem: string;
  identity: Identity;
  remove(): Promise<void>;
}

export async function makePki(): Promise<TestPki> {
  const dir = await mkdtemp(join(tmpdir(), 'outrider-agent-'));
  const address = '127.0.0.1';
  const pki = await createPki({
    dir: join(dir, 'pki'),
    nodeName: 'node',
    hostAddress: address,
    nodeAddress: address,
    serviceAddress: '10.96.0.1',
  });
  const { cert, key } = pki.certificates.apiServer;
  return {
    dir,
    caPem: pki.caPem,
    identity: { cert: await readFile(cert, 'utf8'), key: await readFile(key, 'utf8') },
    remove: () => rm(dir, { recursive: true, force: true }),
  };
}

/** A plane, an API server, and agents between them. */
export class FakeWorld {
  readonly plane: FakePlane;
  readonly api: FakeApiServer;
  readonly agentWorld: AgentWorld;
  readonly #start: (world: AgentWorld) => Promise<AgentRunner>;
  readonly #agents: AgentRunner[] = [];

  private constructor(plane: FakePlane, api: FakeApiServer, agentWorld: AgentWorld, start: FakeWorld['start']) {
    this.plane = plane;
    this.api = api;
    this.agentWorld = agentWorld;
    this.#start = start;
  }

  static async make(pki: TestPki, start: (world: AgentWorld) => Promise<AgentRunner>): Promise<FakeWorld> {
    const plane = await FakePlane.start(pki.identity);
    const api = await FakeApiServer.start(pki.identity);
    const agentWorld = {
      dir: join(pki.dir, 'agent'),
      server: plane.url,
      serverCa: pki.caPem,
      apiServer: api.url,
      apiServerCa: pki.caPem,
      bootstrapToken: 'bootstrap-token',
      registrationToken: 'a'.repeat(32),
    };
    return new FakeWorld(plane, api, agentWorld, start);
  }

  /** Starts an agent that is ended with this world. */
  async start(changes: Partial<AgentWorld> = {}): Promise<AgentRunner> {
    const agent = await this.#start({ ...this.agentWorld, ...changes });
    this.#agents.push(agent);
    return agent;
  }

  /** An agent, and the plane's end of its settled tunnel. */
  async connect(): Promise<{ agent: AgentRunner; tunnel: PlaneTunnel }> {
    const agent = await this.start();
    return { agent, tunnel: await this.plane.tunnel() };
  }

  async stop(): Promise<void> {
    await Promise.all(this.#agents.map((agent) => agent.kill()));
    await this.plane.stop();
    await this.api.stop();
  }
}
