import type { webcrypto } from 'node:crypto';
import { createLogger } from '#agent/log.ts';
import { Account } from '#agent/kube/accounts.ts';
import { AgentMetrics } from '#agent/metrics.ts';
import { serveHttp } from '#agent/roles/cluster/http.ts';
import { Questions } from '#agent/roles/cluster/call.ts';
import { Budget } from '#agent/roles/cluster/upgrade/messages.ts';
import type { Upstream } from '#agent/roles/cluster/upstream.ts';
import { PlaneRefusal } from '#agent/tunnel/plane.ts';
import { ReconnectPolicy } from '#agent/tunnel/reconnect.ts';
import { TunnelRunner } from '#agent/tunnel/runner.ts';
import { StreamKind } from '#schema/protocol/codec/frame.ts';
import type { Stream } from '#schema/protocol/flow/stream.ts';
import type { ApiServer } from './api-server.ts';
import { Domain, type Clock } from './clock.ts';
import { serveEcho } from './echo.ts';
import type { Parcel, Wire } from './wire.ts';

/** What `ws` waits for the peer's close, ms (`agent/tunnel/dial.ts`, CLOSE_TIMEOUT_MS). */
const CLOSE_TIMEOUT_MS = 3_000;

/** The agent's WebSocket, as far as its tunnel uses `ws`. */
export class AgentSocket {
  readonly OPEN = 1;
  readyState = 1;
  readonly #clock: Clock;
  readonly #domain: Domain;
  readonly #wire: Wire;
  readonly #listeners = new Map<string, ((...values: unknown[]) => void)[]>();
  /** What came before anybody listened. */
  #held: Parcel[] | null = [];

  constructor(clock: Clock, domain: Domain, wire: Wire) {
    this.#clock = clock;
    this.#domain = domain;
    this.#wire = wire;
  }

  get bufferedAmount(): number {
    return this.#wire.up.buffered;
  }

  on(event: string, listener: (...values: any[]) => void): void {
    this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener]);
  }

  resume(): void {
    const held = this.#held ?? [];
    this.#held = null;
    for (const parcel of held) this.receive(parcel);
  }

  receive(parcel: Parcel): void {
    if (this.#domain.dead || this.readyState === 3) return;
    if (this.#held !== null) {
      this.#held.push(parcel);
      return;
    }
    this.#clock.domain = this.#domain;
    if ('code' in parcel) {
      // The peer closes: its close is answered.
      if (this.readyState === 1 && parcel.code !== 1006) this.#wire.up.send(parcel);
      this.#gone(parcel.code, parcel.reason);
      return;
    }
    const { data } = parcel;
    if (typeof data === 'string') this.#emit('message', Buffer.from(data), false);
    else this.#emit('message', Buffer.from(data.buffer, data.byteOffset, data.byteLength), true);
  }

  send(data: string | Uint8Array<ArrayBuffer>, sent?: () => void): void {
    if (this.readyState !== 1) return;
    if (typeof data !== 'string') this.#wire.ledger.sent('up', data);
    const parcel = { data };
    this.#wire.up.send(parcel, () => {
      // The kernel has copied it: from here on the buffer is the sender's again.
      if (typeof parcel.data !== 'string') parcel.data = parcel.data.slice();
      if (sent !== undefined) this.#clock.after(0, this.#domain, sent);
    });
  }

  close(code: number, reason = ''): void {
    if (this.readyState !== 1) return;
    this.readyState = 2;
    this.#wire.up.send({ code, reason });
    this.#clock.after(CLOSE_TIMEOUT_MS, this.#domain, () => this.terminate());
  }

  terminate(): void {
    if (this.readyState === 3) return;
    this.#wire.up.send({ code: 1006, reason: 'reset' });
    this.#wire.down.close();
    this.readyState = 2;
    this.#clock.after(0, this.#domain, () => this.#gone(1006, ''));
  }

  #gone(code: number, reason: string): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.#wire.down.close();
    this.#emit('close', code, Buffer.from(reason));
  }

  #emit(event: string, ...values: unknown[]): void {
    for (const listener of this.#listeners.get(event) ?? []) listener(...values);
  }
}

/** A dial that found the plane. */
export interface Dialled {
  wire: Wire;
  socket: AgentSocket;
}

/** What an agent asks of its world. */
export interface AgentDeps {
  clock: Clock;
  api: ApiServer;
  random: () => number;
  dial(agent: Agent, signal: AbortSignal): Promise<Dialled>;
  /** The tunnel is settled, or its socket is gone. */
  changed(agent: Agent): void;
  trace(text: string): void;
}

/** One agent process: the real runner, tunnel, policy and HTTP serving, on a modelled socket and a modelled API server. */
export class Agent {
  readonly name: string;
  /** As the plane knows it. */
  readonly instance: string;
  readonly domain: Domain;
  readonly budget = new Budget();
  /** Streams that were ever served. */
  readonly streams = new Set<Stream>();
  readonly wires = new Set<Wire>();
  readonly runner: TunnelRunner;
  /** It was told to stop, and drains. */
  stopping = false;
  stopped = false;
  /** When it began to be without a tunnel that it believes in, with the plane in reach, ms; null: it is not. */
  lostAt: number | null = null;
  /** A dial was answered with a failure since the tunnel was lost. */
  rebuffed = false;
  readonly #deps: AgentDeps;

  constructor(name: string, deps: AgentDeps) {
    this.name = name;
    this.instance = name.padEnd(16, '0');
    this.#deps = deps;
    const { clock, api, random } = deps;
    this.domain = new Domain(name);
    const upstream: Upstream = {
      api: null as unknown as Upstream['api'],
      pool: api.clientOf(this.domain),
      proxy: new Account('proxy', () => Promise.resolve({ token: 't', expiresAt: Number.MAX_SAFE_INTEGER })),
      borrowed: this.budget,
      questions: new Questions(new Map()),
      metrics: new AgentMetrics('0'),
      log: createLogger('warn', (line) => deps.trace(`${name}: ${plain(line)}`)),
    };
    this.runner = new TunnelRunner({
      instance: this.instance,
      role: 'cluster',
      agentVersion: '0',
      capabilities: ['http', 'upgrade'],
      enrol: () =>
        Promise.resolve({
          cluster: 'c-simulated',
          credential: '',
          privateKey: {} as webcrypto.CryptoKey,
          kubernetesVersion: 'v1.34.0',
        }),
      dial: async (_credential, signal) => {
        const { wire, socket } = await deps.dial(this, signal);
        socket.on('close', () => {
          this.wires.delete(wire);
          // Once the runner has heard it too.
          clock.after(0, this.domain, () => deps.changed(this));
        });
        return socket as any;
      },
      serve: (stream, head) => {
        this.streams.add(stream);
        const metrics = upstream.metrics.opened(stream.kind);
        if (stream.kind === StreamKind.UPGRADE) serveEcho(stream, head, { clock, api, agent: this });
        else serveHttp(upstream, stream, head, metrics);
      },
      metrics: upstream.metrics,
      log: createLogger('info', (line) => {
        deps.trace(`${name}: ${plain(line)}`);
        if (line.includes('the tunnel is up')) deps.changed(this);
      }),
      policy: new ReconnectPolicy(random),
      sleep: (ms, signal) => clock.sleep(ms, this.domain, signal),
    });
  }

  get connected(): boolean {
    return !this.domain.dead && this.runner.connected;
  }

  start(): void {
    this.#deps.clock.after(0, this.domain, () => void this.runner.run());
  }

  /** As SIGTERM does: drains. */
  stop(): void {
    this.stopping = true;
    this.#deps.clock.after(0, this.domain, () => {
      void this.runner.stop().then(() => {
        this.stopped = true;
      });
    });
  }

  /** The process is gone. `told`: its machine lives, and closes its sockets. */
  crash(told: boolean): void {
    this.domain.dead = true;
    this.#deps.api.forget(this.domain);
    for (const wire of this.wires) wire.cut(told ? 'plane' : 'nobody');
  }
}

/** A line of a log without its time, which is the real one's. */
export function plain(line: string): string {
  const { time: _, level: __, message, ...fields } = JSON.parse(line) as Record<string, unknown>;
  return `${String(message)} ${JSON.stringify(fields)}`;
}

/** How a dial ends that does not find the plane. */
export function refusal(kind: 'refused' | 'failing' | 'hanging'): Error {
  if (kind === 'failing') return new PlaneRefusal(503, 'the plane answered 503');
  const code = kind === 'refused' ? 'ECONNREFUSED' : 'ETIMEDOUT';
  return Object.assign(new Error(`connect ${code}`), { code });
}
