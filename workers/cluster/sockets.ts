import type { AgentPrincipal } from '#schema/access.ts';
import { OutriderError } from '#schema/errors.ts';
import { CLOSE_CODE_BASE, ProtocolCode, ProtocolError } from '#schema/protocol/codec/codes.ts';
import { HELLO_TIMEOUT_MS } from '#schema/protocol/limits.ts';
import { log } from '../log.ts';
import { MAX_TUNNELS } from './limits.ts';
import type { Counters } from './metrics/counters.ts';
import { Keeper } from './metrics/keeper.ts';
import type { Storage } from './storage.ts';
import { Attachment, type Challenged, type Settled } from './tunnels/attachment.ts';
import { challenge, settle } from './tunnels/handshake.ts';
import { Pool } from './tunnels/pool.ts';
import { Tunnel } from './tunnels/tunnel.ts';

/** A tunnel that was lost so long ago that nobody waits for it. */
const NEVER = 0;

/** RFC 6455 §7.4.1; nobody is there to read it. */
const NORMAL_CLOSURE = 1000;

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

/** What is connected, and what is under way. */
export interface ClusterStatus {
  tunnels: TunnelStatus[];
  streams: number;
  /** Requests that wait for a tunnel. */
  waiting: number;
}

/** What the sockets ask of their object. */
export interface SocketsDeps {
  now(): number;
  readonly counters: Counters;
  /** Whether a request waits for its answer: the object cannot sleep then. */
  busy(): boolean;
  /** The lowest credential generation of a cluster that is alive. Rejects when it cannot be known, or there is no such cluster. */
  generation(cluster: string): Promise<number>;
  /** An agent has proven itself. */
  settled(settled: Settled): void;
}

/**
 * The agents' sockets of one object: hibernating, each with an attachment that says how far HELLO got. Sockets outlive the object's memory; a
 * {@link Tunnel} is made for each when it wakes, under a new incarnation.
 */
export class Sockets {
  readonly pool: Pool;
  readonly #state: DurableObjectState;
  readonly #storage: Storage;
  readonly #deps: SocketsDeps;
  readonly #tunnels = new Map<WebSocket, Tunnel>();
  readonly #sockets = new Map<Tunnel, WebSocket>();
  /** Of tunnels whose HELLO is awaited. */
  readonly #timers = new Map<Tunnel, ReturnType<typeof setTimeout>>();
  readonly #keeper: Keeper;
  #incarnation = 0;

  constructor(state: DurableObjectState, storage: Storage, deps: SocketsDeps) {
    this.#state = state;
    this.#keeper = new Keeper(deps.counters);
    this.#storage = storage;
    this.#deps = deps;
    this.pool = new Pool({
      now: () => deps.now(),
      pingedAt: (tunnel) => this.#pingedAt(tunnel),
      // Nobody to wait for where no agent has ever been.
      lostAt: () => (storage.exists ? storage.lostAt() : NEVER),
      setLostAt: (at) => {
        if (storage.exists) storage.setLostAt(at);
      },
    });
    // The platform answers pings without waking the object; it matches text messages only (workerd#6062).
    state.setWebSocketAutoResponse(new WebSocketRequestResponsePair('ping', 'pong'));
    for (const socket of state.getWebSockets()) this.#wake(socket);
    // A deploy ends all sockets, and nobody was there to note it.
    if (this.pool.size === 0 && storage.exists && storage.lostAt() === null) storage.setLostAt(deps.now());
  }

  /** An agent dials; a Worker has checked its credential. */
  accept(agent: AgentPrincipal): Response {
    // Ends those that have fallen silent, or dead ones would keep the living out.
    this.pool.active();
    // A credential without its key can dial, and no more: those who never prove themselves make room first.
    const [unproven] = this.#timers.keys();
    if (this.#tunnels.size >= MAX_TUNNELS)
      unproven?.end(ProtocolCode.OVERLOADED, 'HELLO was not answered before others dialled');
    if (this.#tunnels.size >= MAX_TUNNELS)
      throw new OutriderError('overloaded', 'too many tunnels of this cluster are open');
    const { 0: client, 1: server } = new WebSocketPair();
    this.#state.acceptWebSocket(server);
    const { hello, attachment } = challenge(agent, this.#deps.now());
    server.serializeAttachment(attachment);
    const tunnel = this.#make(server, this.#deps.now());
    tunnel.hello(hello);
    this.#awaitHello(tunnel);
    return new Response(null, { status: 101, webSocket: client });
  }

  message(socket: WebSocket, message: string | ArrayBuffer): void {
    const tunnel = this.#tunnels.get(socket);
    if (tunnel === undefined) return;
    if (typeof message === 'string') tunnel.end(ProtocolCode.PROTOCOL_ERROR, 'a text message other than ping');
    else tunnel.receive(message, this.#deps.now());
  }

  closed(socket: WebSocket, code: number, reason: string): void {
    this.#tunnels.get(socket)?.lost(`the agent's socket closed: ${code} ${reason}`.trim());
    // Where the agent vanished without a close frame, the platform keeps its half of the connection until it is closed here or the object sleeps, which a busy one never does.
    socket.close(NORMAL_CLOSURE);
  }

  endAll(code: ProtocolCode, reason: string): void {
    for (const tunnel of this.#tunnels.values()) tunnel.end(code, reason);
  }

  endGenerationsBefore(generation: number): void {
    for (const tunnel of this.#tunnels.values()) {
      if (tunnel.settled === null || tunnel.settled.agent.generation >= generation) continue;
      tunnel.end(ProtocolCode.UNAUTHENTICATED, 'the cluster was imported again; this credential has ended');
    }
  }

  status(): ClusterStatus {
    const active = this.pool.active();
    const tunnels = [...this.pool.all].map((tunnel): TunnelStatus => ({
      instance: tunnel.instance,
      role: tunnel.role,
      state: tunnel.draining ? 'draining' : tunnel === active ? 'active' : 'standby',
      since: tunnel.settledAt,
      agentVersion: tunnel.settled?.agentVersion ?? '',
      kubernetesVersion: tunnel.settled?.kubernetesVersion ?? '',
    }));
    const streams = [...this.pool.all].reduce((sum, tunnel) => sum + tunnel.openStreams, 0);
    return { tunnels, streams, waiting: this.pool.waiting };
  }

  /** Keeps what was counted over a hibernation, which may come whenever nothing is under way. */
  keep(): void {
    if (!this.#deps.counters.changed || this.#deps.busy()) return;
    for (const tunnel of this.pool.all) if (tunnel.openStreams > 0) return;
    for (const tunnel of this.pool.all) {
      const socket = this.#sockets.get(tunnel);
      if (socket !== undefined && tunnel.settled !== null && this.#keeper.keep(socket, tunnel.settled)) return;
    }
  }

  /** After an eviction: the socket's attachment says what was settled with whom. */
  #wake(socket: WebSocket): void {
    const parsed = Attachment.safeParse(socket.deserializeAttachment());
    if (!parsed.success) {
      socket.close(CLOSE_CODE_BASE + ProtocolCode.INTERNAL, 'dial again');
      return;
    }
    if (parsed.data.state === 'challenged') {
      this.#awaitHello(this.#make(socket, parsed.data.acceptedAt));
      return;
    }
    // Not now: waking is no sign of life of the agent's, and a dead socket stays open (workerd#1187).
    const { counted, ...settled } = parsed.data;
    if (counted !== undefined) this.#keeper.restore(socket, counted);
    const tunnel = this.#make(socket, settled.settledAt);
    tunnel.settle(settled, this.#nextIncarnation());
    if (!this.pool.add(tunnel)) tunnel.end(ProtocolCode.SUPERSEDED, 'this agent has dialled since');
    else if (!this.#storage.recorded()) this.#deps.settled(settled);
  }

  #awaitHello(tunnel: Tunnel): void {
    const timer = setTimeout(() => {
      tunnel.end(ProtocolCode.UNAUTHENTICATED, 'HELLO was not answered in time');
    }, HELLO_TIMEOUT_MS);
    this.#timers.set(tunnel, timer);
  }

  /** A timer keeps the object from sleeping. */
  #stopWaiting(tunnel: Tunnel): void {
    clearTimeout(this.#timers.get(tunnel) ?? null);
    this.#timers.delete(tunnel);
  }

  #make(socket: WebSocket, heardAt: number): Tunnel {
    const tunnel = new Tunnel(
      { send: (message) => socket.send(message), close: (code, reason) => socket.close(code, reason) },
      {
        onHello: (from, payload) => void this.#hello(from, socket, payload),
        onDraining: (from) => {
          if (from.settled !== null) this.#keeper.note(socket, from.settled);
          this.pool.changed(from, false);
        },
        onEnded: (from, reason) => this.#ended(from, socket, reason),
        onIdle: () => this.keep(),
        pingedAt: (from) => this.#pingedAt(from),
      },
      this.#deps.counters,
      heardAt,
    );
    this.#tunnels.set(socket, tunnel);
    this.#sockets.set(tunnel, socket);
    return tunnel;
  }

  async #hello(tunnel: Tunnel, socket: WebSocket, payload: Uint8Array): Promise<void> {
    const attachment = Attachment.safeParse(socket.deserializeAttachment());
    if (attachment.data?.state !== 'challenged') return;
    try {
      this.#settle(tunnel, socket, await this.#prove(attachment.data, payload));
    } catch (error) {
      const { code, message } =
        error instanceof ProtocolError
          ? error
          : new ProtocolError(ProtocolCode.INTERNAL, 'access cannot be decided now; dial again');
      tunnel.end(code, message);
    }
  }

  async #prove(challenged: Challenged, payload: Uint8Array): Promise<Settled> {
    const settled = await settle(challenged, payload, this.#deps.now());
    if (challenged.agent.generation < (await this.#deps.generation(challenged.agent.cluster))) {
      throw new ProtocolError(
        ProtocolCode.UNAUTHENTICATED,
        'the cluster was imported again; this credential has ended',
      );
    }
    return settled;
  }

  #settle(tunnel: Tunnel, socket: WebSocket, settled: Settled): void {
    if (!this.#tunnels.has(socket)) return;
    this.#stopWaiting(tunnel);
    this.#storage.create();
    this.#deps.counters.tunnel('settled');
    this.#keeper.note(socket, settled);
    tunnel.settle(settled, this.#nextIncarnation());
    if (!this.pool.add(tunnel)) {
      tunnel.end(ProtocolCode.SUPERSEDED, 'this agent has dialled since');
      return;
    }
    const standby = this.pool.active() !== tunnel;
    tunnel.hello({ step: 'settled', version: 1, standby });
    log('info', 'tunnel settled', {
      cluster: settled.agent.cluster,
      instance: settled.instance,
      epoch: settled.epoch,
      standby,
    });
    this.#deps.settled(settled);
  }

  #ended(tunnel: Tunnel, socket: WebSocket, reason: string): void {
    this.#stopWaiting(tunnel);
    this.#tunnels.delete(socket);
    this.#sockets.delete(tunnel);
    this.#keeper.gone(socket);
    this.pool.changed(tunnel, true);
    if (tunnel.settled !== null) this.#deps.counters.tunnel('ended');
    this.keep();
    if (tunnel.settled !== null) log('info', 'tunnel ended', { instance: tunnel.instance, reason });
  }

  /** One incarnation for each life of the object, taken when the first tunnel needs it. */
  #nextIncarnation(): number {
    if (this.#incarnation === 0) this.#incarnation = this.#storage.nextIncarnation();
    return this.#incarnation;
  }

  #pingedAt(tunnel: Tunnel): number {
    const socket = this.#sockets.get(tunnel);
    return socket === undefined ? 0 : (this.#state.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? 0);
  }
}
