import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { type Direction, DIRECTIONS, Line, type LineConditions, type Side } from './line.ts';
import { type Conditions, type CutPoint, type Ending, GOOD } from './pipe.ts';

const LOOPBACK = '127.0.0.1';

/**
 * Where relays listen: below the ports that the kernel gives to outgoing connections (net.ipv4.ip_local_port_range begins at 32,768), so that a relay which refuses for a
 * while finds its port free again.
 */
const PORTS = { first: 20_000, last: 32_000 } as const;

/** How a relay meets those who dial it. `hold`: as a machine whose program has stopped: the connection stands and nothing comes. */
export type Door = 'open' | 'hold' | 'refuse';

/** A second dial that is let go stays for as long, ms: long enough for a plane to have seen it. */
const DUPLICATE_MS = 50;

/** Octets between a dialler and a target, and everything that a network does to them. It sees TLS and nothing inside. */
export class Relay {
  readonly #target: { host: string; port: number };
  readonly #server: Server;
  readonly #port: number;
  readonly #lines = new Set<Line>();
  readonly #held = new Set<Socket>();
  readonly #conditions: Record<Direction, Conditions> = { up: { ...GOOD }, down: { ...GOOD } };
  #door: Door = 'open';
  #duplicates = 0;
  /** Dials so far. */
  dials = 0;

  private constructor(target: { host: string; port: number }, server: Server, port: number) {
    this.#target = target;
    this.#server = server;
    this.#port = port;
    server.on('connection', (socket) => this.#accept(socket));
  }

  /** @param target https origin */
  static async start(target: string): Promise<Relay> {
    const { hostname, port } = new URL(target);
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true });
    return new Relay({ host: hostname, port: Number(port) }, server, await listenSomewhere(server));
  }

  get url(): string {
    return `https://${LOOPBACK}:${this.#port}`;
  }

  /** Connections that both sides believe in, or one. */
  get connections(): number {
    return this.#lines.size + this.#held.size;
  }

  /** What each of them is like. */
  get states(): string[] {
    return [...this.#lines].map(({ state }) => state);
  }

  /** Changes what the line is like, for the connections there are and for those to come. */
  set(change: Partial<Conditions>, directions: readonly Direction[] = DIRECTIONS): void {
    for (const direction of directions) Object.assign(this.#conditions[direction], change);
    for (const line of this.#lines) line.poke();
  }

  async setDoor(door: Door): Promise<void> {
    if (door === this.#door) return;
    const before = this.#door;
    this.#door = door;
    // Not awaited: it would wait for the connections there are.
    if (door === 'refuse') this.#server.close();
    if (before === 'refuse') await listen(this.#server, this.#port);
    if (door !== 'open') return;
    const held = [...this.#held];
    this.#held.clear();
    for (const socket of held) if (!socket.destroyed) this.#join(socket);
  }

  cut(how: Ending): void {
    for (const line of this.#lines) line.cut(how);
  }

  /** Cuts the connections there are, each at this point of what it carries from now on. */
  cutAt(direction: Direction, point: CutPoint): void {
    for (const line of this.#lines) line.cutAt(direction, point);
  }

  /** Ends the connections there are for one side; the other hears of it when the line heals. */
  orphan(side: Side): void {
    for (const line of this.#lines) line.orphan(side);
  }

  /** The next dial reaches the target twice, and one of the two goes away. */
  duplicateNext(): void {
    this.#duplicates++;
  }

  /** All is well again: what was held back arrives, what only one side believed in ends, and cut points that were not reached are forgotten. */
  async heal(): Promise<void> {
    this.set(GOOD);
    this.#duplicates = 0;
    for (const line of this.#lines) {
      if (line.orphaned) line.cut('rst');
      for (const direction of DIRECTIONS) line.cutAt(direction, { unit: 'octets', count: Infinity, how: 'fin' });
    }
    await this.setDoor('open');
  }

  async stop(): Promise<void> {
    this.cut('rst');
    for (const socket of this.#held) socket.destroy();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(socket: Socket): void {
    this.dials++;
    if (this.#door !== 'hold') {
      this.#join(socket);
      return;
    }
    this.#held.add(socket);
    socket.on('error', () => this.#held.delete(socket));
    socket.on('close', () => this.#held.delete(socket));
  }

  #join(socket: Socket): void {
    if (this.#duplicates > 0) {
      this.#duplicates--;
      this.#duplicate(socket);
    }
    const conditions: LineConditions = this.#conditions;
    const line: Line = new Line(socket, this.#target, conditions, () => this.#lines.delete(line));
    this.#lines.add(line);
    socket.resume();
  }

  /** TLS begins with one message of the dialler's: said twice, both connections are as good, and this one goes away. */
  #duplicate(socket: Socket): void {
    const twin = connect({ ...this.#target, noDelay: true });
    twin.on('error', () => undefined);
    socket.once('data', (data: Buffer) => twin.write(data));
    setTimeout(() => twin.destroy(), DUPLICATE_MS);
  }
}

async function listenSomewhere(server: Server): Promise<number> {
  for (let attempt = 0; ; attempt++) {
    const port = PORTS.first + Math.floor(Math.random() * (PORTS.last - PORTS.first));
    try {
      await listen(server, port);
      return port;
    } catch (error) {
      if (attempt === 100) throw error;
    }
  }
}

async function listen(server: Server, port: number): Promise<void> {
  const listening = once(server, 'listening');
  server.listen({ host: LOOPBACK, port });
  await listening;
}
