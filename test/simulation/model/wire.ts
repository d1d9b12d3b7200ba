import { FRAME_HEADER_BYTES } from '#schema/protocol/codec/frame.ts';
import type { Clock, Domain } from './clock.ts';
import { Ledger } from './ledger.ts';

/** A WebSocket message, or the close that is the last of them. `code` 1006: the connection broke. */
export type Parcel = { data: string | Uint8Array<ArrayBuffer> } | { code: number; reason: string };

/** What a wire asks of the end that a pipe leads to. */
export type Receive = (parcel: Parcel) => void;

/** How a network treats what passes. */
export interface Weather {
  latencyMs: number;
  /** Added to the latency, at most; parcels stay in order. */
  jitterMs: number;
  bytesPerSecond: number;
  /** Cuts batches of frames into messages of fewer: what arrives must mean the same. */
  recut: boolean;
}

/** What a host's socket takes while nothing leaves it, octets: its buffers. */
const SOCKET_BUFFER_BYTES = 128 * 1024;

/** One direction of a connection: in order, at a pace, until it is closed or falls silent. */
export class Pipe {
  readonly #clock: Clock;
  readonly #domain: Domain;
  readonly #weather: () => Weather;
  readonly #dice: () => number;
  readonly #receive: Receive;
  readonly #queue: { parcel: Parcel; bytes: number; left: (() => void) | undefined }[] = [];
  #busy = false;
  #arrival = 0;
  /** Nothing passes, and nobody is told. */
  silent = false;
  closed = false;
  /** Octets that have not left. */
  buffered = 0;
  #inSocket = 0;
  /** Frames and texts that still arrive before the connection is cut; null: no such plan. */
  fuse: number | null = null;
  onFuse: () => void = () => undefined;

  constructor(clock: Clock, domain: Domain, weather: () => Weather, dice: () => number, receive: Receive) {
    this.#clock = clock;
    this.#domain = domain;
    this.#weather = weather;
    this.#dice = dice;
    this.#receive = receive;
  }

  /** `left` is called once the host has handed it over. */
  send(parcel: Parcel, left?: () => void): void {
    if (this.closed) return;
    const bytes = 'data' in parcel ? parcel.data.length : 0;
    this.buffered += bytes;
    this.#queue.push({ parcel, bytes, left });
    this.#pump();
  }

  /** What was held back goes on. */
  heal(): void {
    this.silent = false;
    this.#inSocket = 0;
    this.#pump();
  }

  close(): void {
    this.closed = true;
    this.#queue.length = 0;
  }

  #pump(): void {
    if (this.#busy || this.closed) return;
    const next = this.#queue[0];
    if (next === undefined) return;
    if (this.silent) {
      // The host's own buffers take a little, and then nothing.
      if (this.#inSocket >= SOCKET_BUFFER_BYTES || next.left === undefined) return;
      this.#inSocket += next.bytes;
      this.buffered -= next.bytes;
      next.bytes = 0;
      const { left } = next;
      next.left = undefined;
      this.#clock.after(0, this.#domain, left);
      return;
    }
    this.#queue.shift();
    this.#busy = true;
    const { latencyMs, jitterMs, bytesPerSecond, recut } = this.#weather();
    this.#clock.after((next.bytes * 1000) / bytesPerSecond, this.#domain, () => {
      this.#busy = false;
      this.buffered -= next.bytes;
      next.left?.();
      this.#arrival = Math.max(this.#arrival, this.#clock.now + latencyMs + jitterMs * this.#dice());
      this.#clock.after(this.#arrival - this.#clock.now, this.#domain, () => this.#arrive(next.parcel, recut));
      this.#pump();
    });
  }

  #arrive(parcel: Parcel, recut: boolean): void {
    const pieces =
      (recut || this.fuse !== null) && 'data' in parcel && typeof parcel.data !== 'string'
        ? cut(parcel.data, recut ? this.#dice : () => 0)
        : [parcel];
    for (const piece of pieces) {
      if (this.closed) return;
      if (this.fuse !== null && this.fuse-- <= 0) {
        this.onFuse();
        return;
      }
      if ('code' in piece) this.closed = true;
      this.#receive(piece);
    }
  }
}

/** A batch as messages of fewer frames; `dice` under a half ends one. */
function cut(message: Uint8Array<ArrayBuffer>, dice: () => number): Parcel[] {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  const parcels: Parcel[] = [];
  let from = 0;
  for (let at = 0; at < message.byteLength;) {
    at += FRAME_HEADER_BYTES + view.getUint32(at + 8);
    if (at < message.byteLength && dice() > 0.5) continue;
    parcels.push({ data: message.slice(from, at) });
    from = at;
  }
  return parcels;
}

/** The two pipes between an agent and the plane's platform. */
export class Wire {
  readonly up: Pipe;
  readonly down: Pipe;
  readonly ledger = new Ledger();
  readonly #toPlane: Receive;
  readonly toAgent: Receive;

  constructor(
    clock: Clock,
    domain: Domain,
    weather: () => Weather,
    dice: () => number,
    ends: { toPlane: Receive; toAgent: Receive },
  ) {
    this.#toPlane = ends.toPlane;
    this.toAgent = ends.toAgent;
    this.up = new Pipe(clock, domain, weather, dice, ends.toPlane);
    this.down = new Pipe(clock, domain, weather, dice, ends.toAgent);
    this.up.onFuse = () => this.cut('both');
    this.down.onFuse = () => this.cut('both');
  }

  get over(): boolean {
    return this.up.closed && this.down.closed;
  }

  /** Breaks, with whatever is under way; the end that is not told goes on believing. */
  cut(told: 'both' | 'agent' | 'plane' | 'nobody'): void {
    const broken = { code: 1006, reason: 'the connection broke' };
    const [up, down] = [this.up.closed, this.down.closed];
    this.up.close();
    this.down.close();
    if (!down && (told === 'both' || told === 'agent')) this.toAgent(broken);
    if (!up && (told === 'both' || told === 'plane')) this.#toPlane(broken);
  }
}
