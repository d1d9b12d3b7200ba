import { env, exports } from 'cloudflare:workers';
import { vi } from 'vitest';
import type { Principal } from '#schema/access.ts';
import { newTokenId, newUserId } from '#schema/ids.ts';
import { signAgentCredential } from '#workers/authn/agent-credential.ts';
import { signToken } from '#workers/authn/token.ts';
import type { Cluster } from '#workers/cluster/object.ts';
import { clusterObject, newClusterId } from '#workers/cluster/stub.ts';
import { readConfig, type Config } from '#workers/env.ts';
import { addCluster } from '#workers/store/clusters.ts';
import { addUser } from '#workers/store/users.ts';
import { AgentKey, ORIGIN, ScriptedAgent, type AgentOptions, type Home } from './agent.ts';

/** A cluster that the plane knows, with its owner and the key of its agents. */
export class World implements Home {
  readonly config: Config;
  readonly id: string;
  readonly owner: string;
  readonly token: string;
  readonly key: AgentKey;
  readonly #agents: ScriptedAgent[] = [];

  constructor(parts: { config: Config; id: string; owner: string; token: string; key: AgentKey }) {
    this.config = parts.config;
    this.id = parts.id;
    this.owner = parts.owner;
    this.token = parts.token;
    this.key = parts.key;
  }

  /** A new stub of the cluster's object. */
  async stub(): Promise<DurableObjectStub<Cluster>> {
    const stub = await clusterObject(env, this.config, this.id);
    if (stub === null) throw new Error(`the id ${this.id} was refused`);
    return stub;
  }

  /** Asks the plane for a path of the cluster, as its owner unless `init` brings other credentials. */
  async fetch(
    path: string,
    init: RequestInit<RequestInitCfProperties> & { token?: string | null } = {},
  ): Promise<Response> {
    const headers = new Headers(init.headers);
    const token = init.token === undefined ? this.token : init.token;
    if (token !== null && !headers.has('authorization')) headers.set('authorization', `Bearer ${token}`);
    return await exports.default.fetch(`${ORIGIN}/k8s/clusters/${this.id}${path}`, {
      redirect: 'manual',
      ...init,
      headers,
    });
  }

  /** Opens a WebSocket to the cluster; the response of a refusal. */
  async upgrade(path: string, headers: Record<string, string> = {}, token?: string | null): Promise<Response> {
    return await this.fetch(path, {
      headers: { upgrade: 'websocket', connection: 'Upgrade', ...headers },
      ...(token === undefined ? {} : { token }),
    });
  }

  /** A credential of this cluster's agents. */
  async credential(generation = 1, key = this.key): Promise<string> {
    return await signAgentCredential(this.config, { cluster: this.id, generation, publicKey: key.publicKey });
  }

  /** Dials without answering HELLO. */
  async connect(options: AgentOptions = {}): Promise<ScriptedAgent> {
    const agent = await ScriptedAgent.connect(this, options);
    this.#agents.push(agent);
    return agent;
  }

  /** Dials, proves itself and waits until that is settled. */
  async agent(options: AgentOptions = {}): Promise<ScriptedAgent> {
    const agent = await this.connect(options);
    await agent.settled;
    return agent;
  }

  async status(): Promise<{
    tunnels: { instance: string; role: string; state: string }[];
    streams: number;
    waiting: number;
  }> {
    return await (await this.stub()).status();
  }

  /** Nothing of any exchange is left: rejects where a stream stays. */
  async quiet(): Promise<void> {
    await vi.waitFor(async () => {
      const { streams } = await this.status();
      if (streams > 0) throw new Error(`${streams} streams are left`);
    });
  }

  /** Ends every tunnel of the test. */
  async end(): Promise<void> {
    for (const agent of this.#agents.splice(0)) {
      agent.hangUp();
      await agent.closed;
    }
  }

  /** A token of this plane; by default the owner's for everything. */
  async tokenFor(change: Partial<Principal> = {}): Promise<string> {
    return await signToken(this.config, principal(this.owner, change));
  }
}

/** A principal with a fresh token that lives an hour. */
export function principal(user: string, change: Partial<Principal> = {}): Principal {
  const now = Math.floor(Date.now() / 1000);
  return {
    user,
    token: newTokenId(),
    issuedAt: now,
    expiresAt: now + 3600,
    cluster: null,
    readOnly: false,
    accessVersion: 0,
    ...change,
  };
}

/** Adds a person; an administrator owns every cluster. */
export async function addPerson(change: { administrator?: boolean } = {}): Promise<string> {
  const id = newUserId();
  const user = {
    id,
    username: `name-${id}`,
    administrator: change.administrator ?? false,
    passwordHash: '',
    passwordPending: false,
    createdAt: 0,
  };
  await addUser(env.DB, async (statements) => await env.DB.batch(statements), user);
  return id;
}

/** A cluster in the plane's database, registered once, whose object nobody has dialled. */
export async function makeWorld(): Promise<World> {
  const config = await readConfig(env);
  const owner = await addPerson({ administrator: true });
  const id = await newClusterId(config);
  await addCluster(env.DB, { id, name: `cluster-${id}`, createdAt: 0, createdBy: owner });
  await env.DB.prepare('UPDATE clusters SET agent_generation = 1 WHERE id = ?').bind(id).run();
  const token = await signToken(config, principal(owner));
  return new World({ config, id, owner, token, key: await AgentKey.make() });
}

/** Runs something while every question about a cluster to the plane's database fails. */
export async function withoutDatabase<T>(run: () => Promise<T>): Promise<T> {
  await env.DB.prepare('ALTER TABLE clusters RENAME TO clusters_away').run();
  try {
    return await run();
  } finally {
    await env.DB.prepare('ALTER TABLE clusters_away RENAME TO clusters').run();
  }
}
