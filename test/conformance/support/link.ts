import { Batch } from '#schema/protocol/codec/encode.ts';
import { FRAME_HEADER_BYTES } from '#schema/protocol/codec/frame.ts';
import type { SessionLimits } from '#schema/protocol/limits.ts';
import type { SessionHandler, SessionRole } from '#schema/protocol/handler.ts';
import { Session } from '#schema/protocol/session.ts';
import type { Stream } from '#schema/protocol/flow/stream.ts';
import type { ProtocolError } from '#schema/protocol/codec/codes.ts';

/** Numbers in [0, 1) that follow from the seed (mulberry32), so that a failure can be repeated. */
export function random(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Small limits for tests that do not care. */
export const LIMITS: SessionLimits = { streamWindow: 64 * 1024, sessionWindow: 256 * 1024, maxStreams: 64 };

/** One end: a session and what it has told its adapter. */
export interface End {
  role: SessionRole;
  session: Session;
  /** Messages pulled and not yet delivered. */
  sent: Uint8Array<ArrayBuffer>[];
  goaways: { code: number; reason: string }[];
  errors: ProtocolError[];
  faults: unknown[];
  /** How often it said that there is something to send. */
  pendings: number;
}

export interface LinkOptions {
  plane?: Partial<SessionLimits>;
  agent?: Partial<SessionLimits>;
  incarnation?: number;
  lastSequence?: number;
  /** What each pull may give. */
  pullBytes?: number;
  /** One message per frame: what arrives must mean the same however it is batched. */
  recut?: boolean;
  onOpen?: (stream: Stream, head: Uint8Array) => void;
}

/** Two settled sessions and the wire between them: messages arrive whole and in order, when the test says so. */
export class Link {
  readonly plane: End;
  readonly agent: End;
  readonly #options: LinkOptions;
  readonly limits: { plane: SessionLimits; agent: SessionLimits };

  constructor(options: LinkOptions = {}) {
    this.#options = options;
    this.limits = { plane: { ...LIMITS, ...options.plane }, agent: { ...LIMITS, ...options.agent } };
    this.agent = this.#end('agent', options.incarnation ?? 0);
    this.plane = this.#end('plane', options.incarnation ?? 0);
  }

  /** The plane's object was evicted and woke: a new session on the same socket, in another incarnation. */
  evictPlane(incarnation: number): void {
    this.plane.session = this.#session(this.plane, incarnation);
  }

  /** Pulls what one end may send. */
  pull(end: End): boolean {
    const message = end.session.pull(this.#options.pullBytes);
    if (message === null) return false;
    end.sent.push(...(this.#options.recut === true ? recut(message) : [message]));
    return true;
  }

  /** Delivers the oldest message of `from`. */
  deliver(from: End): boolean {
    const message = from.sent.shift();
    if (message === undefined) return false;
    (from === this.plane ? this.agent : this.plane).session.receive(message);
    return true;
  }

  /** Moves whatever can be moved, in an order of `dice`'s choosing; false: nothing could. */
  step(dice: () => number): boolean {
    const moves = [
      () => this.pull(this.plane),
      () => this.pull(this.agent),
      () => this.deliver(this.plane),
      () => this.deliver(this.agent),
    ];
    const first = Math.floor(dice() * moves.length);
    return moves.some((_, i) => moves[(first + i) % moves.length]?.() === true);
  }

  /** Until nothing moves. */
  run(): void {
    for (;;) {
      const pulled = [this.pull(this.plane), this.pull(this.agent)];
      const delivered = [this.deliver(this.plane), this.deliver(this.agent)];
      if (![...pulled, ...delivered].includes(true)) return;
    }
  }

  /** The socket breaks; what was under way is lost. */
  cut(): void {
    for (const end of [this.plane, this.agent]) {
      end.sent = [];
      end.session.close('the socket broke');
    }
  }

  #end(role: SessionRole, incarnation: number): End {
    const end: Omit<End, 'session'> = { role, sent: [], goaways: [], errors: [], faults: [], pendings: 0 };
    return Object.assign(end, { session: this.#session(end, incarnation) });
  }

  #session(end: Omit<End, 'session'>, incarnation: number): Session {
    const handler: SessionHandler = {
      onOpen: (stream, head) => this.#options.onOpen?.(stream, head),
      onHello: () => undefined,
      onGoaway: (code, reason) => end.goaways.push({ code, reason }),
      onPending: () => {
        end.pendings++;
      },
      onError: (error) => end.errors.push(error),
      onFault: (error) => end.faults.push(error),
    };
    const { lastSequence } = this.#options;
    const session = new Session({
      role: end.role,
      local: this.limits[end.role],
      handler,
      incarnation,
      ...(lastSequence === undefined ? {} : { lastSequence }),
    });
    session.settle(this.limits[end.role === 'plane' ? 'agent' : 'plane']);
    return session;
  }
}

/** A message as one message per frame. */
function recut(message: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>[] {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  const messages: Uint8Array<ArrayBuffer>[] = [];
  for (let at = 0; at < message.byteLength;) {
    const end = at + FRAME_HEADER_BYTES + view.getUint32(at + 8);
    messages.push(message.slice(at, end));
    at = end;
  }
  return messages;
}

/** A message of hand-made frames. */
export function frames(...list: Parameters<Batch['add']>[]): Uint8Array<ArrayBuffer> {
  const batch = new Batch();
  for (const frame of list) batch.add(...frame);
  return batch.finish();
}

export const utf8 = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);
export const text = (octets: Uint8Array): string => new TextDecoder().decode(octets);
