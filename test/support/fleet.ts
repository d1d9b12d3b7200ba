import { createPublicKey, generateKeyPairSync, webcrypto } from 'node:crypto';
import { z } from 'zod';
import { createLogger } from '#agent/log.ts';
import { AgentMetrics } from '#agent/metrics.ts';
import { dial } from '#agent/tunnel/dial.ts';
import type { Egress } from '#agent/tunnel/egress.ts';
import { PlaneRefusal, postJson } from '#agent/tunnel/plane.ts';
import { type Ended, ReconnectPolicy } from '#agent/tunnel/reconnect.ts';
import { type Enrolment, TunnelRunner } from '#agent/tunnel/runner.ts';
import type { Plane } from '#scripts/local/plane.ts';
import { registerAgent } from '#schema/api/clusters/connect.ts';
import { randomBase32 } from '#schema/ids.ts';
import { encodeResponseHead } from '#schema/protocol/codec/head.ts';
import type { PlaneApi } from './api.ts';

/** A registration is one write of the plane's database. Side by side they only wait for each other. */
const REGISTER_TIMEOUT_MS = 30_000;

/** One attempt to have a tunnel, and what came of it. Times in ms of one clock. */
export interface Attempt {
  /** When the dial began. */
  at: number;
  /** What the plane answered instead of a tunnel. */
  status?: number;
  /** When it was over: the dial failed, or its tunnel ended. */
  endedAt?: number;
  ended?: Ended;
  /** What the policy said to wait after that. */
  wait?: number;
}

/** What all agents of a fleet have in common. */
interface Home {
  server: URL;
  egress: Egress;
  metrics: AgentMetrics;
}

const imported = z.object({ importUrl: z.url() });
const created = z.object({ id: z.string() });
const registered = z.object({ credential: z.string() });

/** Many clusters of a real plane, each with an agent: the real runner over real sockets. Behind it is no Kubernetes: every stream is answered with 204. */
export class Fleet {
  /** Once {@link start} has been called. */
  agents: readonly FleetAgent[] = [];
  readonly #home: Home;
  readonly #enrolments: readonly Enrolment[];

  private constructor(home: Home, enrolments: readonly Enrolment[]) {
    this.#home = home;
    this.#enrolments = enrolments;
  }

  /** Makes and registers the clusters. */
  static async enlist(plane: Plane, api: PlaneApi, size: number): Promise<Fleet> {
    const egress: Egress = { agent: undefined, ca: plane.caPem, abandon: () => undefined };
    const home = { server: new URL(plane.url), egress, metrics: new AgentMetrics('0.0.0') };
    const enrolments: Enrolment[] = [];
    for (let index = 0; index < size; index++) enrolments.push(await enlist(home, api, `fleet-${index}`));
    return new Fleet(home, enrolments);
  }

  /** Their ids. */
  get clusters(): string[] {
    return this.#enrolments.map(({ cluster }) => cluster);
  }

  /** Starts an agent for each cluster, as a new process would. @param dice draws the waits of an agent, in [0, 1) */
  start(dice: (agent: number) => () => number): void {
    this.agents = this.#enrolments.map((enrolment, index) => new FleetAgent(this.#home, enrolment, dice(index)));
  }

  /** Resolves when every agent has a settled tunnel; with the times at which they had it, ascending. */
  async settled(): Promise<number[]> {
    const times = await Promise.all(this.agents.map(async (agent) => await agent.whenSettled()));
    return times.toSorted((a, b) => a - b);
  }

  /** Resolves when no agent has a tunnel. */
  async lost(): Promise<void> {
    await Promise.all(this.agents.map(async (agent) => await agent.whenLost()));
  }

  async stop(): Promise<void> {
    await Promise.all(this.agents.map(async (agent) => await agent.stop()));
  }
}

/** One agent of the fleet, with a record of its dials. */
export class FleetAgent {
  readonly attempts: Attempt[] = [];
  readonly #runner: TunnelRunner;
  readonly #running: Promise<void>;
  #settledAt: number | null = null;
  #watchers: (() => void)[] = [];

  constructor({ server, egress, metrics }: Home, enrolment: Enrolment, random: () => number) {
    const { attempts } = this;
    const policy = new (class extends ReconnectPolicy {
      override next(ended: Ended): number {
        const wait = super.next(ended);
        Object.assign(attempts.at(-1) ?? {}, { endedAt: performance.now(), ended, wait });
        return wait;
      }
    })(random);
    this.#runner = new TunnelRunner({
      instance: randomBase32(16),
      role: 'cluster',
      agentVersion: '0.0.0',
      capabilities: ['http'],
      enrol: () => Promise.resolve(enrolment),
      dial: async (credential, signal) => {
        const attempt: Attempt = { at: performance.now() };
        attempts.push(attempt);
        return await dial(server, credential, egress, signal).catch((error: unknown) => {
          if (error instanceof PlaneRefusal) attempt.status = error.status;
          throw error;
        });
      },
      serve: (stream) => {
        stream.handler = { onData: () => undefined, onEnd: () => undefined, onReset: () => undefined };
        stream.head(encodeResponseHead({ status: 204, fields: [] }), true);
      },
      metrics,
      log: createLogger('info', (line) => this.#note(line)),
      policy,
    });
    this.#running = this.#runner.run();
  }

  /** When its present tunnel was settled, once it has one. */
  async whenSettled(): Promise<number> {
    for (;;) {
      if (this.#settledAt !== null) return this.#settledAt;
      await new Promise<void>((resolve) => this.#watchers.push(resolve));
    }
  }

  async whenLost(): Promise<void> {
    while (this.#settledAt !== null) await new Promise<void>((resolve) => this.#watchers.push(resolve));
  }

  async stop(): Promise<void> {
    this.#runner.kill('the test is over');
    await this.#running;
  }

  #note(line: string): void {
    if (line.includes('"the tunnel is up"')) this.#settledAt = performance.now();
    else if (line.includes('"the tunnel ended"')) this.#settledAt = null;
    else return;
    for (const watcher of this.#watchers.splice(0)) watcher();
  }
}

async function enlist({ server, egress }: Home, api: PlaneApi, name: string): Promise<Enrolment> {
  const { id } = await api.json(created, 'POST', '/v1/clusters', { metadata: { name }, spec: {} });
  const { importUrl } = await api.json(imported, 'POST', `/v1/clusters/${id}/registration-tokens`, { spec: {} });
  const pair = generateKeyPairSync('ed25519', {
    privateKeyEncoding: { type: 'pkcs8', format: 'der' },
    publicKeyEncoding: { type: 'spki', format: 'der' },
  });
  const registration = {
    token: /[a-z2-7]{32}/.exec(importUrl)?.[0],
    publicKey: createPublicKey({ key: pair.publicKey, format: 'der', type: 'spki' }).export({ format: 'jwk' }).x,
    kubeSystemUid: crypto.randomUUID(),
    kubernetesVersion: 'v1.34.2',
  };
  const url = new URL(registerAgent.path, server);
  const { credential } = registered.parse(await postJson(url, registration, egress, REGISTER_TIMEOUT_MS));
  const privateKey = await webcrypto.subtle.importKey('pkcs8', pair.privateKey, 'Ed25519', false, ['sign']);
  return { cluster: id, credential, privateKey, kubernetesVersion: registration.kubernetesVersion };
}
