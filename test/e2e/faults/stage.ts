import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { ENVIRONMENT, NODE_FLAGS } from '#scripts/image/runtime.ts';
import { bundleAgent } from '#scripts/image/bundle.ts';
import { FaultHops, type Processes } from '../../support/faults/faults.ts';
import type { Schedule } from '../../support/faults/schedule.ts';
import type { AgentRunner } from '../../support/processes/agent.ts';
import { startWorld, type World } from '../../support/worlds/world.ts';
import { AuditTail } from './checks/audit-tail.ts';
import { Client, HANG_MS, marked } from './workload/client.ts';
import { FIXED_PATH, makeCommon } from './workload/objects.ts';

/** Between two tries to get something through a tunnel that is down, ms: about how exactly its return is measured. */
const PROBE_MS = 20;

const adminShape = z.object({
  users: z.tuple([
    z.object({ user: z.object({ 'client-certificate-data': z.base64(), 'client-key-data': z.base64() }) }),
  ]),
});

/** The world in which all schedules play, with a relay on each leg and an agent that can be replaced. */
export class Stage implements Processes {
  readonly world: World;
  readonly hops: FaultHops;
  /** Straight to the API server, as its administrator. */
  readonly direct: Client;
  readonly audit: AuditTail;
  agent: AgentRunner;
  readonly #dir: string;
  #probes = 0;
  #plays = 0;

  private constructor(
    dir: string,
    world: World,
    hops: FaultHops,
    direct: Client,
    agent: AgentRunner,
    audit: AuditTail,
  ) {
    this.#dir = dir;
    this.world = world;
    this.hops = hops;
    this.direct = direct;
    this.agent = agent;
    this.audit = audit;
  }

  static async start(): Promise<Stage> {
    const hops = new FaultHops();
    const dir = await mkdtemp(join(tmpdir(), 'outrider-faults-'));
    // As in its image: what it holds and how soon it is up again are part of what is looked at.
    const program = { main: join(dir, 'agent.mjs'), nodeFlags: NODE_FLAGS, env: ENVIRONMENT };
    await writeFile(program.main, (await bundleAgent()).code);
    const world = await startWorld({ agent: 'process', cluster: 'api', hops: hops.hops, program });
    const { agent, cluster } = world;
    if (agent === undefined || cluster.auditLog === undefined)
      throw new Error('the world has no agent or no audit log');
    const { users } = adminShape.parse(JSON.parse(await readFile(cluster.adminKubeconfig, 'utf8')));
    const { 'client-certificate-data': cert, 'client-key-data': key } = users[0].user;
    const certificate = { cert: fromBase64(cert), key: fromBase64(key) };
    const direct = new Client({ base: cluster.apiServer, ca: cluster.caPem, certificate });
    await makeCommon(direct);
    return new Stage(dir, world, hops, direct, agent, new AuditTail(cluster.auditLog));
  }

  /** By this the requests and objects of one play of a schedule are known. */
  nameFor({ seed }: Schedule): string {
    return `s${seed}-${this.#plays++}`;
  }

  /** A client of the plane's, behind the relay. */
  client(): Client {
    return this.#through(this.hops.relay('client-to-plane').url);
  }

  /**
   * From now until a request goes through the plane, dialled straight, to the API server and back, ms; Infinity: not before everybody has given up. What the API server takes for
   * a request that is sent straight to it in the meantime is not the tunnel's doing, and is taken off.
   */
  async recovered(): Promise<number> {
    const began = performance.now();
    const client = this.#through(this.world.plane.url);
    let over = false;
    const straight = this.#slowest(() => over);
    try {
      for (let left = HANG_MS; left > 0; left = began + HANG_MS - performance.now()) {
        const told = await client.ask('GET', marked(FIXED_PATH, `probe-${this.#probes++}`), undefined, left);
        const took = performance.now() - began;
        if (told.how === 'answered' && told.status === 200) {
          over = true;
          return Math.max(0, took - (await straight));
        }
        await sleep(PROBE_MS);
      }
      return Infinity;
    } finally {
      over = true;
      await client.end();
    }
  }

  /** The longest that the API server takes for a request that is sent straight to it, ms. */
  async #slowest(over: () => boolean): Promise<number> {
    let slowest = 0;
    do {
      const began = performance.now();
      await this.direct.ask('GET', FIXED_PATH);
      slowest = Math.max(slowest, performance.now() - began);
      await sleep(PROBE_MS);
    } while (!over());
    return slowest;
  }

  async stop(): Promise<void> {
    await this.direct.end();
    await this.audit.close();
    await this.world.stop();
    await this.hops.stop();
    await rm(this.#dir, { recursive: true, force: true });
  }

  // Processes

  async killPlane(): Promise<void> {
    await this.world.plane.kill();
  }

  async startPlane(): Promise<void> {
    await this.world.plane.restart();
  }

  async killAgent(): Promise<void> {
    await this.agent.kill();
  }

  async startAgent(): Promise<void> {
    this.agent = await this.world.startAgent();
  }

  stopAgent(): void {
    process.kill(this.agent.pid, 'SIGSTOP');
  }

  continueAgent(): void {
    process.kill(this.agent.pid, 'SIGCONT');
  }

  #through(origin: string): Client {
    const { plane, clusterId, owner } = this.world;
    return new Client({ base: `${origin}/k8s/clusters/${clusterId}`, ca: plane.caPem, token: owner.token.text });
  }
}

const fromBase64 = (data: string): string => Buffer.from(data, 'base64').toString('utf8');
