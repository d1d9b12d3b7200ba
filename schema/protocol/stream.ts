import type { ProtocolCode } from './codes.ts';
import { encodeCode, encodeCredit } from './encode.ts';
import { Flag, FrameType, type StreamKind } from './frame.ts';
import { MAX_DATA_BYTES, MAX_REASON_BYTES } from './limits.ts';
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
}

/** A frame waiting for its turn. DATA may be longer than one frame; it is cut when it is sent. */
export interface Outgoing {
  type: number;
  flags: number;
  payload: Uint8Array;
}

/** What a stream asks of its session's sending half. */
export interface StreamSender {
  /** The stream has something to send. */
  ready(stream: Stream): void;
  /** DATA was queued; false: its owner should wait for `onWritable`. */
  queued(stream: Stream, bytes: number): boolean;
  /** Queues a frame that needs no credit and goes before all DATA. */
  control(type: number, stream: Stream | null, payload: Uint8Array): void;
  reset(stream: Stream, payload: Uint8Array): void;
  /** Octets of the session's window were consumed. */
  sessionConsumed(bytes: number): void;
  forget(stream: Stream): void;
}

/** One stream of a session, from either end. */
export class Stream {
  readonly kind: StreamKind;
  readonly incarnation: number;
  readonly sequence: number;
  handler: StreamHandler;

  /** This and what follows is for `sender.ts` and `session.ts`, not for the stream's owner. */
  readonly outgoing: Outgoing[] = [];
  readonly sendWindow: SendWindow;
  readonly receiveWindow: ReceiveWindow;
  queuedBytes = 0;
  /** The peer knows the stream. */
  opened: boolean;
  headSeen = false;
  localEnded = false;
  remoteEnded = false;
  gone = false;
  /** Our FIN is queued: nothing may follow. */
  #ending = false;
  readonly #sender: StreamSender;

  constructor(options: {
    kind: StreamKind;
    incarnation: number;
    sequence: number;
    handler: StreamHandler;
    sender: StreamSender;
    opened: boolean;
    sendWindow: number;
    receiveWindow: number;
  }) {
    this.kind = options.kind;
    this.incarnation = options.incarnation;
    this.sequence = options.sequence;
    this.handler = options.handler;
    this.#sender = options.sender;
    this.opened = options.opened;
    this.sendWindow = new SendWindow(options.sendWindow);
    this.receiveWindow = new ReceiveWindow(options.receiveWindow);
  }

  /** Unique within a session's life: incarnation × 2^32 + sequence. */
  get id(): number {
    return this.incarnation * 2 ** 32 + this.sequence;
  }

  /** Octets of DATA that wait to be sent. */
  get queued(): number {
    return this.queuedBytes;
  }

  /** Both halves have ended, or the stream was reset. */
  get done(): boolean {
    return this.gone;
  }

  accept(): void {
    this.#enqueue(FrameType.ACCEPT, 0, NOTHING);
  }

  head(head: Uint8Array, fin = false): void {
    this.#enqueue(FrameType.HEAD, fin ? Flag.FIN : 0, head);
  }

  /**
   * Queues octets of any number; they must not change afterwards.
   * @returns false when the owner should wait for `onWritable` before it writes more.
   */
  write(data: Uint8Array, flags = 0): boolean {
    if (this.gone || this.#ending) return true;
    this.queuedBytes += data.byteLength;
    const room = this.#sender.queued(this, data.byteLength);
    this.#enqueue(FrameType.DATA, flags, data);
    return room;
  }

  /** Ends this half: FIN on the last queued frame where that can say it, else an END frame. */
  end(payload: Uint8Array = NOTHING): void {
    if (this.gone || this.#ending) return;
    const last = this.outgoing.at(-1);
    if (payload.byteLength === 0 && last !== undefined && last.type !== FrameType.ACCEPT) {
      last.flags |= Flag.FIN;
      this.#ending = true;
    } else {
      this.#enqueue(FrameType.END, Flag.FIN, payload);
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
    this.#sender.sessionConsumed(before - this.receiveWindow.held);
    if (credit > 0 && !this.remoteEnded && !this.gone)
      this.#sender.control(FrameType.WINDOW, this, encodeCredit(credit));
  }

  /** Both halves have ended. What was received and not consumed stays held until its owner consumes it. */
  finish(): void {
    this.gone = true;
    this.#sender.forget(this);
    this.outgoing.length = 0;
    this.queuedBytes = 0;
  }

  /** The stream was reset: what it holds goes back to the session's window. */
  release(): void {
    this.finish();
    this.consumed(this.receiveWindow.held);
  }

  #enqueue(type: number, flags: number, payload: Uint8Array): void {
    if (this.gone || this.#ending) return;
    if ((flags & Flag.FIN) !== 0) this.#ending = true;
    this.outgoing.push({ type, flags, payload });
    this.#sender.ready(this);
  }
}

/** The next piece of a queued DATA item that fits in `room` octets; the item keeps the rest. */
export function cutData(item: Outgoing, room: number): Outgoing {
  const length = Math.min(item.payload.byteLength, room, MAX_DATA_BYTES);
  if (length === item.payload.byteLength) return item;
  const piece = { type: item.type, flags: item.flags & Flag.TEXT, payload: item.payload.subarray(0, length) };
  item.payload = item.payload.subarray(length);
  return piece;
}
