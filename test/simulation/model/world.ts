import { CONNECT_TIMEOUT_MS } from '#agent/tunnel/dial.ts';
import { AGENT_LIMITS, PLANE_LIMITS } from '#schema/protocol/limits.ts';
import { Agent, AgentSocket, refusal, type Dialled } from './agent.ts';
import { ApiServer, type Plan } from './api-server.ts';
import { Client, type Manners } from './client.ts';
import { Clock, Domain } from './clock.ts';
import { Plane } from './plane.ts';
import { Wire, type Weather } from './wire.ts';

/** When the SYN of a connection is sent, ms after the dial began: again after a second, then ever more seldom (RFC 6298). */
const SYN_AT_MS = [0, 1_000, 3_000, 7_000].filter((at) => at < CONNECT_TIMEOUT_MS);

/** TCP, TLS 1.3 and the request itself: round trips before the plane sees a dial. */
const DIAL_ROUND_TRIPS = 2.5;

/** Lines of the trace that a failure shows. */
const TRACE_LINES = 60;

/** How long a tunnel took to come back, once it could. */
export interface Comeback {
  ms: number;
  at: number;
  /** Something answered a dial meanwhile, and failed: the agent spares what may have too much to do (`agent/tunnel/reconnect.ts`). */
  rebuffed: boolean;
}

/** Everything there is: a plane, agents, an API server, clients, the networks between them. */
export class World {
  readonly domain = new Domain('world');
  readonly clock = new Clock(this.domain);
  readonly random: () => number;
  readonly plane: Plane;
  readonly api: ApiServer;
  readonly agents: Agent[] = [];
  readonly clients: Client[] = [];
  readonly wires = new Set<Wire>();
  readonly comebacks: Comeback[] = [];
  readonly problems: string[] = [];
  readonly weather: Weather;
  /** The next dial reaches the plane twice. */
  duplicateDial = false;
  #trace: string[] = [];
  #agents = 0;
  #planned = 0;

  constructor(random: () => number, weather: Weather, incarnation: number) {
    this.random = random;
    this.weather = weather;
    this.plane = new Plane(this.clock, incarnation);
    this.api = new ApiServer(this.clock, this.domain);
  }

  get trace(): readonly string[] {
    return this.#trace;
  }

  note(text: string): void {
    this.#trace.push(`${(this.clock.now / 1000).toFixed(3).padStart(9)} ${text}`);
    if (this.#trace.length > 2 * TRACE_LINES) this.#trace = this.#trace.slice(-TRACE_LINES);
  }

  at(ms: number, run: () => void): void {
    this.#planned++;
    this.clock.after(ms - this.clock.now, this.domain, () => {
      this.#planned--;
      run();
    });
  }

  /** Agents that have not been told to stop. */
  get running(): Agent[] {
    return this.agents.filter((agent) => !agent.domain.dead && !agent.stopping);
  }

  /** Something is planned, or a request under way. */
  get busy(): boolean {
    return this.#planned > 0 || this.clients.some(({ outcome }) => outcome === null);
  }

  startAgent(): Agent {
    const agent = new Agent(`agent${++this.#agents}x`, {
      clock: this.clock,
      api: this.api,
      random: this.random,
      dial: (from, signal) => this.#dial(from, signal),
      changed: (from) => this.#changed(from),
      trace: (text) => this.note(text),
    });
    this.agents.push(agent);
    this.note(`${agent.name} starts`);
    agent.start();
    return agent;
  }

  request(plan: Plan, manners: Manners): Client {
    this.api.plans.set(plan.key, plan);
    const client = new Client(this.clock, this.domain, this.plane, plan, manners);
    this.clients.push(client);
    return client;
  }

  setReach(reach: Plane['reach']): void {
    this.plane.reach = reach;
    for (const agent of this.agents) {
      if (reach !== 'up') agent.lostAt = null;
      else this.#changed(agent);
    }
  }

  /** Notes since when an agent is without a tunnel, and how long that took. */
  #changed(agent: Agent): void {
    if (agent.domain.dead || agent.stopping || this.plane.reach !== 'up') {
      agent.lostAt = null;
      return;
    }
    if (!agent.connected) {
      agent.lostAt ??= this.clock.now;
      return;
    }
    const mine = this.plane.tunnelsOf(agent.instance);
    if (mine > 1) this.problems.push(`${mine} tunnels of ${agent.name} are up at once`);
    if (agent.lostAt !== null) {
      const ms = this.clock.now - agent.lostAt;
      this.comebacks.push({ ms, at: this.clock.now, rebuffed: agent.rebuffed });
      this.note(`${agent.name} is back after ${Math.round(ms)} ms`);
    }
    agent.lostAt = null;
    agent.rebuffed = false;
  }

  async #dial(agent: Agent, signal: AbortSignal): Promise<Dialled> {
    const { clock } = this;
    const pause = (ms: number): Promise<void> => clock.sleep(ms, agent.domain, signal);
    const began = clock.now;
    for (const at of SYN_AT_MS) {
      await pause(began + at - clock.now);
      if (this.plane.reach !== 'hanging') break;
    }
    if (this.plane.reach === 'hanging') await pause(began + CONNECT_TIMEOUT_MS - clock.now);
    else await pause(this.weather.latencyMs * 2 * (this.plane.reach === 'refused' ? 1 : DIAL_ROUND_TRIPS));
    if (this.plane.reach === 'failing') agent.rebuffed = true;
    if (this.plane.reach !== 'up') throw refusal(this.plane.reach);
    const dialled = this.#connect(agent);
    if (this.duplicateDial) {
      this.duplicateDial = false;
      this.note(`the dial of ${agent.name} arrives twice`);
      this.#connectNobody();
    }
    try {
      await pause(this.weather.latencyMs);
    } catch (error) {
      dialled.socket.terminate();
      throw error;
    }
    return dialled;
  }

  #connect(agent: Agent): Dialled {
    let socket: AgentSocket | null = null;
    const wire = this.#wire((parcel) => socket?.receive(parcel));
    socket = new AgentSocket(this.clock, agent.domain, wire);
    agent.wires.add(wire);
    this.plane.accept(wire);
    return { wire, socket };
  }

  /** A connection behind which is no agent: a dial that a hop sent twice. */
  #connectNobody(): void {
    const wire: Wire = this.#wire((parcel) => {
      if ('code' in parcel) wire.up.send(parcel);
    });
    this.plane.accept(wire);
  }

  #wire(toAgent: Wire['toAgent']): Wire {
    const wire: Wire = new Wire(this.clock, this.domain, () => this.weather, this.random, {
      toPlane: (parcel) => this.plane.receive(wire, parcel),
      toAgent,
    });
    this.wires.add(wire);
    return wire;
  }
}

/** Small windows, so that little content fills them. Gives what puts the real ones back. */
export function withWindows(streamWindow: number, sessionWindow: number): () => void {
  const [plane, agent] = [{ ...PLANE_LIMITS }, { ...AGENT_LIMITS }];
  Object.assign(PLANE_LIMITS, { streamWindow, sessionWindow });
  Object.assign(AGENT_LIMITS, { streamWindow, sessionWindow });
  return () => {
    Object.assign(PLANE_LIMITS, plane);
    Object.assign(AGENT_LIMITS, agent);
  };
}
