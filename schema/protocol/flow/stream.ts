import type { ProtocolCode } from '../codec/codes.ts';
import { encodeCode, encodeCredit } from '../codec/encode.ts';
import { Fifo } from './fifo.ts';
import { Flag, FrameType, type StreamKind } from '../codec/frame.ts';
import { MAX_DATA_BYTES, MAX_REASON_BYTES, QUEUED_FRAME_BYTES } from '../limits.ts';
import type { Tuning } from './tuning.ts';
import { ReceiveWindow, SendWindow } from './window.ts';

const NOTHING = new Uint8Array(0);

/** The verbs that a stream gives its owner. All are called synchronously, in order; none is called after {@link StreamHandler.onReset}. */
export interface StreamHandler {
  /** The agent has the request; its head is slow to come. */
  onAccept?(): void;
  /** `head` is a view of the message: decode it at once. */
  onHead?(head: Uint8Array): void;
  /** `data` may be kept; it counts as held until {@link Stream.consumed}. `flags`: MESSAGE_END and TEXT of `upgrade` streams. */
  onData(data: Uint8Array, flags: number): void;
  /** The peer's half has ended; `payload` is that of END, empty for FIN. */
  onEnd(payload: Uint8Array): void;
  /** The stream is gone: reset by the peer (a code of {@link ProtocolCode}) or lost with its session (TUNNEL_LOST). */
  onReset(code: number, reason: string): void;
  /** There is room again after {@link Stream.write} returned false. */
  onWritable?(): void;
  /** The stream's data were not read while others waited for room: it was reset, and what it holds must be dropped, also where the stream was done. */
  onStalled?(reason: string): void;
}

/** A frame waiting for its turn. DATA may be longer than one frame; it is cut when it is sent. */
export interface Outgoing {
  type: number;
  flags: number;
  payload: Uint8Array;
  /** When it was queued, by the session's clock. */
  queuedAt: number;
}

/** What a stream asks of its session's sending half. */
export interface StreamSender {
  /** Milliseconds of any clock. */
  now(): number;
  /** A frame that counts `bytes` was queued. */
  queued(stream: Stream, bytes: number): void;
  /** False: the stream's owner should wait for `onWritable`. */
  hasRoom(stream: Stream): boolean;
  /** Queues a frame of the current incarnation that needs no credit and goes before all others. */
  control(type: number, sequence: number, payload: Uint8Array): void;
  reset(stream: Stream, payload: Uint8Array): void;
  /** Which of the incarnations it has seen this is: unlike their numbers, these do not come round again. */
  readonly life: number;
  /** Octets of the session's window were consumed by a stream of `life`. */
  consumed(life: number, bytes: number): void;
  /** The stream's reader took something: it is not what others wait for. */
  touched(stream: Stream): void;
  /** The stream is over; called once. */
  forget(stream: Stream): void;
}

/** One stream of a session, from either end. */
export class Stream {
  readonly kind: StreamKind;
  readonly incarnation: number;
  readonly sequence: number;
  handler: StreamHandler;

  /** This and what follows is for `sender.ts` and `session.ts`, not for the stream's owner. */
  readonly outgoing = new Fifo<Outgoing>();
  readonly sendWindow: SendWindow;
  readonly receiveWindow: ReceiveWindow;
  queuedBytes = 0;
  /** When its reader last took something, by the session's clock, ms. */
  touchedAt = 0;
  /** The peer knows the stream. */
  opened: boolean;
  /** ACCEPT and HEAD went by: received on the plane, sent on the agent. */
  accepted = false;
  headSeen = false;
  localEnded = false;
  remoteEnded = false;
  gone = false;
  /** Our FIN is queued: nothing may follow. */
  #ending = false;
  readonly #sender: StreamSender;
  readonly #life: number;

  constructor(options: {
    kind: StreamKind;
    incarnation: number;
    sequence: number;
    handler: StreamHandler;
    sender: StreamSender;
    opened: boolean;
    sendWindow: number;
    receiveWindow: number;
    tuning: Tuning | null;
  }) {
    this.kind = options.kind;
    this.incarnation = options.incarnation;
    this.sequence = options.sequence;
    this.handler = options.handler;
    this.#sender = options.sender;
    this.#life = options.sender.life;
    this.opened = options.opened;
    this.sendWindow = new SendWindow(options.sendWindow);
    this.receiveWindow = new ReceiveWindow(options.receiveWindow, options.tuning);
  }

  /** Unique within a session's life: incarnation × 2^32 + sequence. */
  get id(): number {
    return this.incarnation * 2 ** 32 + this.sequence;
  }

  /** What waits to be sent: payload octets, and {@link QUEUED_FRAME_BYTES} for each frame. */
  get queued(): number {
    return this.queuedBytes;
  }

  /** Both halves have ended, or the stream was reset. */
  get done(): boolean {
    return this.gone;
  }

  /** Agent: the head is slow to come. Nothing happens once it was given. */
  accept(): void {
    if (this.accepted || this.headSeen) return;
    this.accepted = true;
    this.enqueue(FrameType.ACCEPT, 0, NOTHING);
  }

  /** Agent: the answer's head, once and before its body. */
  head(head: Uint8Array, fin = false): void {
    if (this.headSeen) throw new Error('a stream has one head');
    this.headSeen = true;
    this.enqueue(FrameType.HEAD, fin ? Flag.FIN : 0, head);
  }

  /**
   * Queues octets of any number; they must not change afterwards.
   * @returns false when the owner should wait for `onWritable` before it writes more.
   */
  write(data: Uint8Array, flags = 0): boolean {
    if (this.gone || this.#ending) return true;
    this.enqueue(FrameType.DATA, flags, data);
    return this.#sender.hasRoom(this);
  }

  /** Ends this half: FIN on the last queued frame where that can say it, else an END frame. */
  end(payload: Uint8Array = NOTHING): void {
    if (this.gone || this.#ending) return;
    const { last } = this.outgoing;
    if (payload.byteLength === 0 && last !== undefined && last.type !== FrameType.ACCEPT) {
      last.flags |= Flag.FIN;
      this.#ending = true;
    } else {
      this.enqueue(FrameType.END, Flag.FIN, payload);
    }
  }

  /** Drops the stream at once. The owner hears nothing more of it. */
  reset(code: ProtocolCode, reason: string): void {
    const alreadyGone = this.gone;
    this.release();
    if (!alreadyGone) this.#sender.reset(this, encodeCode(code, reason, MAX_REASON_BYTES));
  }

  /** Gives the sender credit for octets that were handled. */
  consumed(bytes: number): void {
    const before = this.receiveWindow.held;
    const credit = this.receiveWindow.consumed(bytes);
    const taken = before - this.receiveWindow.held;
    if (taken > 0) {
      this.#sender.consumed(this.#life, taken);
      if (this.#life === this.#sender.life) this.#sender.touched(this);
    }
    if (credit > 0 && !this.remoteEnded && !this.gone)
      this.#sender.control(FrameType.WINDOW, this.sequence, encodeCredit(credit));
  }

  /** Both halves have ended. What was received and not consumed stays held until its owner consumes it, or resets the stream. */
  finish(): void {
    if (this.gone) return;
    this.gone = true;
    this.receiveWindow.release();
    this.#sender.forget(this);
    this.outgoing.clear();
    this.queuedBytes = 0;
  }

  /** The stream was reset: what it holds goes back to the session's window. */
  release(): void {
    this.finish();
    this.consumed(this.receiveWindow.held);
  }

  /** For `session.ts`; an owner has the verbs above. */
  enqueue(type: number, flags: number, payload: Uint8Array): void {
    if (this.gone || this.#ending) return;
    if ((flags & Flag.FIN) !== 0) this.#ending = true;
    this.outgoing.push({ type, flags, payload, queuedAt: this.#sender.now() });
    const bytes = payload.byteLength + QUEUED_FRAME_BYTES;
    this.queuedBytes += bytes;
    this.#sender.queued(this, bytes);
  }
}

/** The next piece of a queued DATA item that fits in `room` octets; the item keeps the rest. */
export function cutData(item: Outgoing, room: number): Outgoing {
  const length = Math.min(item.payload.byteLength, room, MAX_DATA_BYTES);
  if (length === item.payload.byteLength) return item;
  const piece = { ...item, flags: item.flags & Flag.TEXT, payload: item.payload.subarray(0, length) };
  item.payload = item.payload.subarray(length);
  return piece;
}
