import { DurableObject } from 'cloudflare:workers';
import { base64url } from 'jose';
import { AccessSnapshot, AgentPrincipal, Principal } from '#schema/access.ts';
import { OutriderError } from '#schema/errors.ts';
import { encodeRequestHead } from '#schema/protocol/head.ts';
import { buildSnapshot } from '../access/snapshot.ts';
import { log } from '../log.ts';
import { statusOfError } from '../status.ts';
import { recordConnection } from '../store/clusters.ts';
import { Access } from './access.ts';
import { PRINCIPAL_HEADER, REQUEST_ID_HEADER, requestFields } from './fields.ts';
import { Sockets } from './sockets.ts';
import { Storage } from './storage.ts';
import { serveHttp } from './streams/http.ts';
import { Spill } from './streams/spill.ts';
import { serveUpgrade } from './streams/upgrade.ts';
import { CONNECT_PATH, proxyUrl } from './target.ts';

/** A tunnel as an administrator sees it. */
export interface TunnelStatus {
  instance: string;
  role: 'cluster' | 'node';
  state: 'active' | 'standby' | 'draining';
  /** Epoch ms. */
  since: number;
  agentVersion: string;
  kubernetesVersion: string;
}

/** One downstream cluster: its tunnels, its access snapshot, and every request to it. A switchboard; the parts do the work. */
export class Cluster extends DurableObject<Env> {
  readonly #storage: Storage;
  readonly #access: Access;
  readonly #sockets: Sockets;
  readonly #spill: Spill;
  /** Its id. The platform does not tell an object its name, so it is read from whoever calls. */
  #cluster = '';

  constructor(state: DurableObjectState, env: Env) {
    super(state, env);
    this.#storage = new Storage(state);
    this.#spill = new Spill(this.#storage);
    this.#access = new Access({
      now: Date.now,
      load: () => this.#storage.snapshot(),
      save: (snapshot) => {
        if (this.#storage.exists) this.#storage.setSnapshot(snapshot);
      },
      pull: async () => await buildSnapshot(env.DB, this.#cluster),
    });
    this.#sockets = new Sockets(state, this.#storage, {
      now: Date.now,
      generation: async () => (await this.#access.current()).cluster.agentGeneration,
      settled: (settled) => {
        const { agent, agentVersion, kubernetesVersion, settledAt } = settled;
        if (this.#access.held !== null) this.#storage.setSnapshot(this.#access.held);
        state.waitUntil(recordConnection(env.DB, agent.cluster, { agentVersion, kubernetesVersion, at: settledAt }));
      },
    });
  }

  override async fetch(request: Request): Promise<Response> {
    const requestId = request.headers.get(REQUEST_ID_HEADER) ?? '';
    try {
      if (new URL(request.url).pathname === CONNECT_PATH) {
        const agent = readHeader(request, AgentPrincipal);
        this.#cluster = agent.cluster;
        return this.#sockets.accept(agent);
      }
      return await this.#proxy(request, readHeader(request, Principal), requestId);
    } catch (error) {
      if (!(error instanceof OutriderError)) log('error', 'request failed', { requestId, error: String(error) });
      return statusOfError(error, requestId);
    }
  }

  override async webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    this.#sockets.message(socket, message);
  }

  override async webSocketClose(socket: WebSocket, code: number, reason: string): Promise<void> {
    this.#sockets.closed(socket, code, reason);
  }

  override async webSocketError(socket: WebSocket): Promise<void> {
    this.#sockets.closed(socket, 1006, 'the socket broke');
  }

  /** RPC: takes a snapshot if it is newer; returns the version held afterwards. A generation that has ended takes its tunnels with it. */
  async putSnapshot(snapshot: AccessSnapshot): Promise<number> {
    const version = this.#access.put(AccessSnapshot.parse(snapshot));
    this.#sockets.endGenerationsBefore(this.#access.held?.cluster.agentGeneration ?? 0);
    return version;
  }

  /** RPC: the cluster was deleted: its tunnels end, and nothing of it stays. */
  async forget(): Promise<void> {
    this.#sockets.endAll('the cluster was removed from the plane');
    this.#access.forget();
    await this.#storage.destroy();
  }

  /** RPC: what is connected now. */
  async status(): Promise<{ tunnels: TunnelStatus[]; streams: number }> {
    return this.#sockets.status();
  }

  async #proxy(request: Request, principal: Principal, requestId: string): Promise<Response> {
    const { method, headers, signal } = request;
    const { cluster, target } = proxyUrl(request.url);
    this.#cluster = cluster;
    const upgrade = headers.get('upgrade')?.toLowerCase() === 'websocket';
    const identity = await this.#access.authorize(principal, { method, target, upgrade });
    const head = encodeRequestHead({ method, target, fields: requestFields(headers, identity) });
    const outbound = { method, head, body: request.body, signal, requestId };
    if (upgrade) return await serveUpgrade(this.#sockets.pool, outbound, this.#spill);
    return await serveHttp(this.#sockets.pool, outbound);
  }
}

/** What the Worker found out about the caller: it checked the signature, and no one else can call an object. */
function readHeader<T>(request: Request, schema: { parse(value: unknown): T }): T {
  const text = request.headers.get(PRINCIPAL_HEADER);
  if (text === null) throw new OutriderError('unauthenticated', 'the request names no caller');
  return schema.parse(JSON.parse(new TextDecoder().decode(base64url.decode(text))));
}
