import { Content } from '#workers/cluster/request/content.ts';
import { Spill } from '#workers/cluster/streams/spill.ts';
import { Departures } from '#workers/cluster/streams/departures.ts';
import { serveHttp, type Outbound } from '#workers/cluster/streams/http.ts';
import { serveUpgrade } from '#workers/cluster/streams/upgrade.ts';
import { LiveRequests } from '#workers/cluster/live.ts';
import { Counters } from '#workers/cluster/metrics/counters.ts';
import { Sockets } from '#workers/cluster/sockets.ts';
import { Domain, type Clock } from './clock.ts';
import { ServerSocket, type PlaneResponse } from './platform.ts';
import type { Parcel, Wire } from './wire.ts';

/** How the plane meets a dial, or a client. */
export type Reach =
  | 'up'
  /** Connections are refused. */
  | 'refused'
  /** Something in front answers 503. */
  | 'failing'
  /** Nothing answers. */
  | 'hanging';

/** A request as the client sends it. */
export type Inbound = Pick<Outbound, 'method' | 'head'> & {
  /** Aborts when the client goes away. */
  signal: AbortSignal;
  body: ReadableStream<Uint8Array> | null;
  upgrade: boolean;
};

/** Who dials: nothing of it is checked here. */
const AGENT = { cluster: 'c-gsimulatedsimulated', publicKey: 'a'.repeat(43), generation: 0 };
const IDENTITY = { user: 'u-aaaaaaaaaa', groups: [], username: 'ada', token: 't-aaaaaaaaaa' };

const CALLER = {
  user: 'u-simulated2',
  token: 't-simulated2',
  issuedAt: 0,
  expiresAt: 2 ** 40,
  cluster: null,
  readOnly: false,
  accessVersion: 0,
};

/** What all client WebSockets may spill, octets: little, so that the limit is met. */
const SPILL_BYTES = 64 * 1024 * 1024;

/** One life of the object, from its waking to its eviction. */
class Life {
  readonly domain: Domain;
  readonly sockets: Sockets;
  readonly live = new LiveRequests();
  readonly departures = new Departures();
  readonly spill: Spill;
  readonly handles = new Map<Wire, ServerSocket>();
  readonly #onEnd = new Set<() => void>();
  /** The handle that `acceptWebSocket` was called with last. */
  accepted: ServerSocket | null = null;

  constructor(domain: Domain, kept: Kept, sockets: ReadonlyMap<Wire, ServerSocket>) {
    this.domain = domain;
    for (const [wire, old] of sockets) {
      const handle = new ServerSocket();
      handle.attachment = old.attachment;
      this.handles.set(wire, handle);
    }
    this.spill = new Spill(storageOn(kept), SPILL_BYTES);
    const wireOf = (socket: unknown): Wire | undefined =>
      [...this.handles].find(([, handle]) => handle === socket)?.[0];
    const state = {
      setWebSocketAutoResponse: () => undefined,
      getWebSockets: () => [...this.handles.values()],
      acceptWebSocket: (socket: ServerSocket) => {
        this.accepted = socket;
      },
      getWebSocketAutoResponseTimestamp: (socket: ServerSocket) => {
        const wire = wireOf(socket);
        const at = wire === undefined ? undefined : kept.pingedAt.get(wire);
        return at === undefined ? null : new Date(at);
      },
    };
    this.sockets = new Sockets(state as any, storageOn(kept), {
      now: () => Date.now(),
      counters: new Counters(Date.now()),
      busy: () => this.live.size > 0,
      generation: () => Promise.resolve(0),
      settled: () => undefined,
    });
  }

  /** Tells requests under way that the object is gone; gives what takes the asking back. */
  onEnd(hear: () => void): () => void {
    this.#onEnd.add(hear);
    return () => this.#onEnd.delete(hear);
  }

  end(): void {
    this.domain.dead = true;
    for (const handle of this.handles.values()) handle.dead = true;
    for (const hear of this.#onEnd) hear();
  }
}

/** What outlives the object's memory: its storage, and what the platform knows of its sockets. */
class Kept {
  exists = false;
  incarnation = 0;
  lostAt: number | null = null;
  /** Real time of day, epoch ms. */
  readonly pingedAt = new Map<Wire, number>();
  rows: { id: number; upload: number; flags: number; data: Uint8Array }[] = [];
  lastRow = 0;
}

/** In the place of `workers/cluster/storage.ts`, whose SQL needs the real one. */
function storageOn(kept: Kept): any {
  return {
    get exists() {
      return kept.exists;
    },
    create: () => {
      kept.exists = true;
    },
    nextIncarnation: () => (kept.incarnation = (kept.incarnation % 0xffff) + 1),
    recorded: () => true,
    setRecorded: () => undefined,
    lostAt: () => kept.lostAt,
    setLostAt: (at: number | null) => {
      kept.lostAt = at;
    },
    spill: (upload: number, flags: number, data: Uint8Array) => {
      kept.rows.push({ id: ++kept.lastRow, upload, flags, data: data.slice() });
    },
    spilled: (upload: number) => kept.rows.find((row) => row.upload === upload) ?? null,
    deleteSpilled: (id: number) => {
      kept.rows = kept.rows.filter((row) => row.id !== id);
    },
    deleteAllSpilled: (upload: number) => {
      kept.rows = kept.rows.filter((row) => row.upload !== upload);
    },
  };
}

/** The plane: the real sockets, tunnels, pool and request owners, in an object that can lose its memory at any moment. */
export class Plane {
  reach: Reach = 'up';
  readonly kept = new Kept();
  readonly #clock: Clock;
  #life: Life | null = null;
  #lives = 0;
  /** The platform's sockets, which outlive the object's memory. */
  #sockets = new Map<Wire, ServerSocket>();

  constructor(clock: Clock, incarnation: number) {
    this.#clock = clock;
    this.kept.incarnation = incarnation;
  }

  /** The object's present life, woken if need be. */
  get life(): Life {
    if (this.#life !== null) return this.#life;
    this.kept.rows = [];
    const before = this.#clock.domain;
    const domain = new Domain(`plane ${++this.#lives}`);
    this.#clock.domain = domain;
    const life = new Life(domain, this.kept, this.#sockets);
    this.#life = life;
    this.#sockets = life.handles;
    for (const [wire, handle] of life.handles) this.#join(wire, handle);
    this.#clock.domain = before;
    return life;
  }

  /** A tunnel takes new streams. */
  get serves(): boolean {
    return this.#life !== null && this.#life.sockets.pool.active() !== null;
  }

  /** Tunnels of an agent that take new streams. */
  tunnelsOf(instance: string): number {
    const all = [...(this.#life?.sockets.pool.all ?? [])];
    return all.filter((tunnel) => tunnel.instance === instance && !tunnel.draining).length;
  }

  /** Timers of the object: any keeps it from sleeping. */
  get timers(): number {
    return this.#life?.domain.timers.size ?? 0;
  }

  /** Runs `act` as an event of the object's. */
  event(act: (life: Life) => void): void {
    const { life } = this;
    this.#clock.domain = life.domain;
    act(life);
  }

  /** An agent's dial has arrived. */
  accept(wire: Wire): void {
    this.event((life) => {
      life.sockets.accept(AGENT);
      const handle = life.accepted;
      if (handle === null) throw new Error('the object accepted no socket');
      life.handles.set(wire, handle);
      this.#join(wire, handle);
    });
  }

  /** Something came through a wire. */
  receive(wire: Wire, parcel: Parcel): void {
    if (!this.#sockets.has(wire)) {
      // Closed by the plane before: the platform answers the close.
      if ('code' in parcel) wire.down.send(parcel);
      return;
    }
    if ('data' in parcel && parcel.data === 'ping') {
      this.kept.pingedAt.set(wire, Date.now());
      wire.down.send({ data: 'pong' });
      return;
    }
    this.event((life) => {
      const handle = life.handles.get(wire);
      if (handle === undefined) return;
      if ('data' in parcel) {
        const { data } = parcel;
        life.sockets.message(handle as any, typeof data === 'string' ? data : data.slice().buffer);
        return;
      }
      this.#forget(wire);
      wire.down.send(parcel);
      life.sockets.closed(handle as any, parcel.code, parcel.reason);
    });
  }

  /** A client's request has arrived. */
  async request(inbound: Inbound): Promise<PlaneResponse> {
    const { life } = this;
    this.#clock.domain = life.domain;
    const facts = { method: inbound.method, target: '/', upgrade: inbound.upgrade };
    const content = inbound.body === null ? null : new Content(inbound.body);
    const outbound = {
      ...inbound,
      content,
      client: life.departures.client(inbound, content !== null),
      requestId: 'r',
      live: life.live.begin({ principal: CALLER, facts, identity: IDENTITY }),
    };
    let status = 500;
    try {
      const response = inbound.upgrade
        ? await serveUpgrade(life.sockets.pool, { ...outbound, protocols: [] }, life.spill)
        : await serveHttp(life.sockets.pool, outbound);
      ({ status } = response);
      return response as unknown as PlaneResponse;
    } finally {
      // The answer is judged as of now, though an error would wait for the rest of the request.
      void content?.answered(status);
    }
  }

  /** The object's memory is lost; the sockets of agents stay. */
  evict(): void {
    const life = this.#life;
    this.#life = null;
    life?.end();
  }

  /** Whatever was connected is not any more. */
  deploy(told: 'both' | 'nobody'): void {
    const wires = [...this.#sockets.keys()];
    this.evict();
    this.#sockets = new Map();
    for (const wire of wires) {
      this.kept.pingedAt.delete(wire);
      wire.cut(told === 'both' ? 'agent' : 'nobody');
    }
  }

  #forget(wire: Wire): void {
    this.#sockets.delete(wire);
    this.kept.pingedAt.delete(wire);
  }

  #join(wire: Wire, handle: ServerSocket): void {
    handle.join({
      fromServer: (data) => {
        if (typeof data !== 'string') wire.ledger.sent('down', data);
        wire.down.send({ data });
      },
      closedByServer: (code, reason) => {
        wire.down.send({ code, reason });
        this.#forget(wire);
      },
    });
  }
}
