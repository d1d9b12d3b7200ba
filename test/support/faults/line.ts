import { connect, type Socket } from 'node:net';
import { type Conditions, type CutPoint, type Ending, Pipe } from './pipe.ts';

/** `up` is from who dialled to who was dialled. */
export type Direction = 'up' | 'down';
export const DIRECTIONS = ['up', 'down'] as const satisfies readonly Direction[];

/** Which end of a line; see {@link Line.orphan}. */
export type Side = 'dialler' | 'target';

export type LineConditions = Readonly<Record<Direction, Conditions>>;

/** One relayed connection: two sockets and a {@link Pipe} each way. */
export class Line {
  readonly #dialler: Socket;
  readonly #target: Socket;
  readonly #pipes: Record<Direction, Pipe>;
  readonly #open = new Set<Direction>(DIRECTIONS);
  #orphaned = false;

  /** @param closed both sockets are gone, or going */
  constructor(
    dialler: Socket,
    address: { host: string; port: number },
    conditions: LineConditions,
    closed: () => void,
  ) {
    this.#dialler = dialler;
    this.#target = connect({ ...address, allowHalfOpen: true, noDelay: true });
    const sockets = [this.#dialler, this.#target];
    for (const socket of sockets) {
      socket.on('close', () => {
        if (sockets.every(({ destroyed }) => destroyed)) closed();
      });
    }
    const pipe = (from: Socket, to: Socket, direction: Direction): Pipe =>
      new Pipe(
        from,
        to,
        () => conditions[direction],
        (how, cut) => this.#ended(direction, to, how, cut),
      );
    this.#pipes = {
      up: pipe(this.#dialler, this.#target, 'up'),
      down: pipe(this.#target, this.#dialler, 'down'),
    };
  }

  poke(): void {
    for (const direction of DIRECTIONS) this.#pipes[direction].poke();
  }

  cutAt(direction: Direction, point: CutPoint): void {
    this.#pipes[direction].cutAt(point);
  }

  /** Ends the connection for both. With FIN what was written before still arrives. */
  cut(how: Ending): void {
    this.#stop();
    for (const socket of [this.#dialler, this.#target]) end(socket, how);
  }

  /** Ends the connection for one side; the other goes on believing in it until {@link Line.cut}. */
  orphan(side: Side): void {
    if (this.#orphaned) return;
    this.#orphaned = true;
    this.#stop();
    end(side === 'dialler' ? this.#dialler : this.#target, 'rst');
  }

  /** What has become of the two connections, for whoever finds a line left over. */
  get state(): string {
    const of = ({ destroyed, readableEnded, connecting }: Socket): string =>
      destroyed ? 'closed' : connecting ? 'connecting' : readableEnded ? 'has said its last' : 'open';
    return `dialler ${of(this.#dialler)}, target ${of(this.#target)}`;
  }

  get orphaned(): boolean {
    return this.#orphaned;
  }

  #stop(): void {
    for (const direction of DIRECTIONS) this.#pipes[direction].stop();
  }

  #ended(direction: Direction, to: Socket, how: Ending, cut: boolean): void {
    if (cut || how === 'rst') {
      this.cut(how);
      return;
    }
    this.#open.delete(direction);
    if (this.#open.size === 0) this.cut('fin');
    else to.end();
  }
}

/** A FIN waits for what was written, but not for a peer that never reads it. */
const FIN_PATIENCE_MS = 1_000;

function end(socket: Socket, how: Ending): void {
  if (socket.destroyed) return;
  if (how === 'rst') {
    // libuv resets no connection of which it has sent the end (`uv_tcp_close_reset`), and Node would then neither close it nor say so.
    if (socket.writableEnded) socket.destroy();
    else socket.resetAndDestroy();
    return;
  }
  const late = setTimeout(() => socket.destroy(), FIN_PATIENCE_MS);
  socket.once('close', () => clearTimeout(late));
  // What the peer still sends is not for anybody; unread it would turn the FIN into a reset.
  socket.resume();
  socket.end(() => setImmediate(() => socket.destroy()));
}
