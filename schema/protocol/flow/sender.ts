import { decodeCode } from '../codec/decode.ts';
import { type Allocate, Batch, encodeCredit } from '../codec/encode.ts';
import { Fifo } from './fifo.ts';
import { Flag, FRAME_HEADER_BYTES, FrameType } from '../codec/frame.ts';
import {
  BULK_TURN_BYTES,
  INTERACTIVE_BURST_BYTES,
  INTERACTIVE_BYTES,
  MAX_MESSAGE_BYTES,
  PULL_BYTES,
  QUEUED_FRAME_BYTES,
  SESSION_QUEUE_HIGH,
  SESSION_QUEUE_LOW,
  STREAM_QUEUE_HIGH,
  STREAM_QUEUE_LEAST,
  STREAM_QUEUE_LOW,
} from '../limits.ts';
import { cutData, type Outgoing, type Stream, type StreamSender } from './stream.ts';
import { ReceiveWindow, SendWindow } from './window.ts';

interface Control {
  type: number;
  sequence: number;
  payload: Uint8Array;
}

/** What the sender tells its session. */
export interface SenderEvents {
  /** Something can be sent. */
  onPending(): void;
  /** The last frame of a stream's own half went into a message. */
  onLocalEnd(stream: Stream): void;
  /** This end reset a stream that the peer knows. */
  onReset(code: number): void;
  /** A stream is over: nothing of it is sent or taken any more. */
  onGone(stream: Stream): void;
  /** There is room again after the stream's owner was told to wait. */
  onWritable(stream: Stream): void;
  /** A stream's reader took something. */
  onTouched(stream: Stream): void;
}

/**
 * The sending half of a session: who goes next (README "Fairness"), within credit. Streams with something to send are in exactly one of
 * `opening`, `interactive`, `bulk` and `starved` (waiting for the session's credit), or in none (waiting for their own).
 */
export class Sender implements StreamSender {
  incarnation: number;
  life = 0;
  readonly #control = new Fifo<Control>();
  /** Streams whose OPEN waits, in the order of their sequences, which the wire must keep. */
  readonly #opening = new Set<Stream>();
  readonly #interactive = new Set<Stream>();
  readonly #bulk = new Set<Stream>();
  readonly #starved = new Set<Stream>();
  /** Streams whose owner waits for the stream's own queue to shrink … */
  readonly #full = new Set<Stream>();
  /** … and those that wait only for the session's. */
  readonly #crowded = new Set<Stream>();
  /** Their owners are told at the end of this pull. */
  #due: Stream[] = [];
  #queued = 0;
  #window = new SendWindow(0);
  #received = new ReceiveWindow(0);
  /** Octets of interactive streams since the last turn of a bulk one. */
  #burst = 0;
  #ended = false;
  /** When the oldest of what the last message took from streams was queued. */
  #oldest = Infinity;
  readonly now: () => number;
  readonly #events: SenderEvents;

  constructor(incarnation: number, events: SenderEvents, now: () => number = () => 0) {
    this.incarnation = incarnation;
    this.#events = events;
    this.now = now;
  }

  /** How long the oldest of what the last message took from streams had waited, ms; null: it took nothing from any. */
  get lastDelay(): number | null {
    return this.#oldest === Infinity ? null : this.now() - this.#oldest;
  }

  /** Sets both session windows to what HELLO settled; also when an incarnation ends. */
  setWindows(peer: number, local: number): void {
    this.#window = new SendWindow(peer);
    this.#received = new ReceiveWindow(local);
  }

  /** Forgets everything of an incarnation that has ended, but for what belongs to the session. */
  startIncarnation(incarnation: number): void {
    this.incarnation = incarnation;
    this.life++;
    this.#control.filter((c) => c.type === FrameType.HELLO || c.type === FrameType.GOAWAY);
  }

  /** Drops whatever waits, but for `goaway`, and takes nothing more. */
  end(goaway: Uint8Array | null): void {
    this.#control.clear();
    if (goaway !== null) this.control(FrameType.GOAWAY, 0, goaway);
    this.#ended = true;
  }

  get pending(): boolean {
    return (
      this.#control.length > 0 ||
      this.#opening.size > 0 ||
      this.#interactive.size > 0 ||
      this.#bulk.size > 0 ||
      this.#canWake
    );
  }

  /** What all streams together have queued, counted as {@link Stream.queued}. */
  get queuedBytes(): number {
    return this.#queued;
  }

  /** Control frames that wait for the peer to read. */
  get controlFrames(): number {
    return this.#control.length;
  }

  /** False when the peer sent more than the session's window. */
  received(bytes: number): boolean {
    return this.#received.received(bytes);
  }

  touched(stream: Stream): void {
    this.#events.onTouched(stream);
  }

  /** Octets of the session's window that are received and not consumed. */
  get held(): number {
    return this.#received.held;
  }

  consumed(life: number, bytes: number): void {
    // The windows were whole again when the incarnation ended; what an old stream still held is not in them.
    if (life !== this.life) return;
    const credit = this.#received.consumed(bytes);
    if (credit > 0) this.control(FrameType.WINDOW, 0, encodeCredit(credit));
  }

  /** False when the credit overflows. */
  granted(credit: number): boolean {
    const fine = this.#window.grant(credit);
    const starved = [...this.#starved];
    this.#starved.clear();
    for (const stream of starved) this.ready(stream);
    return fine;
  }

  control(type: number, sequence: number, payload: Uint8Array): void {
    if (this.#ended) return;
    this.#control.push({ type, sequence, payload });
    this.#events.onPending();
  }

  /** RESET, unless the stream's OPEN was never sent: the peer does not know it then. */
  reset(stream: Stream, payload: Uint8Array): void {
    if (!stream.opened) return;
    this.control(FrameType.RESET, stream.sequence, payload);
    this.#events.onReset(decodeCode(payload).code);
  }

  queued(stream: Stream, bytes: number): void {
    this.#queued += bytes;
    this.ready(stream);
  }

  hasRoom(stream: Stream): boolean {
    if (stream.queuedBytes >= STREAM_QUEUE_HIGH) this.#full.add(stream);
    else if (this.#queued >= SESSION_QUEUE_HIGH && stream.queuedBytes >= STREAM_QUEUE_LEAST) this.#crowded.add(stream);
    else return true;
    return false;
  }

  /** Queues a stream for its turn, if its credit lets it send something. */
  ready(stream: Stream): void {
    const item = stream.outgoing.first;
    if (item === undefined || stream.gone) return;
    if (isStarved(item, stream.sendWindow.credit)) return;
    if (!stream.opened) {
      this.#opening.add(stream);
      this.#events.onPending();
      return;
    }
    if (isStarved(item, this.#window.credit)) {
      this.#interactive.delete(stream);
      this.#bulk.delete(stream);
      this.#starved.add(stream);
      return;
    }
    if (stream.queuedBytes > INTERACTIVE_BYTES) {
      this.#interactive.delete(stream);
      this.#bulk.add(stream);
    } else if (!this.#bulk.has(stream)) {
      this.#interactive.add(stream);
    }
    this.#events.onPending();
  }

  forget(stream: Stream): void {
    this.#queued -= stream.queuedBytes;
    this.#opening.delete(stream);
    this.#interactive.delete(stream);
    this.#bulk.delete(stream);
    this.#starved.delete(stream);
    this.#full.delete(stream);
    this.#crowded.delete(stream);
    this.#events.onGone(stream);
    if (this.#canWake) this.#events.onPending();
  }

  /**
   * The next message; null when nothing may be sent now. It has at most `maxBytes` octets, unless it is one frame that is larger and cannot
   * be cut.
   */
  pull(maxBytes = PULL_BYTES, allocate?: Allocate): Uint8Array<ArrayBuffer> | null {
    const batch = new Batch();
    const limit = Math.max(1, Math.min(maxBytes, MAX_MESSAGE_BYTES));
    this.#oldest = Infinity;
    this.#takeControl(batch, limit);
    while (batch.size < limit) {
      const stream = this.#next();
      if (stream === undefined || !this.#turn(stream, batch, limit)) break;
    }
    this.#wake();
    return batch.size === 0 ? null : batch.finish(allocate);
  }

  #takeControl(batch: Batch, limit: number): void {
    for (let next = this.#control.first; next !== undefined; next = this.#control.first) {
      const { type, sequence, payload } = next;
      if (batch.size > 0 && batch.size + FRAME_HEADER_BYTES + payload.byteLength > limit) return;
      batch.add(type, 0, this.incarnation, sequence, payload);
      this.#control.shift();
    }
  }

  /** The stream whose turn it is; it keeps its place until it has sent. */
  #next(): Stream | undefined {
    if (this.#burst >= INTERACTIVE_BURST_BYTES && this.#bulk.size > 0) return first(this.#bulk);
    return first(this.#opening) ?? first(this.#interactive) ?? first(this.#bulk);
  }

  /** Sends one turn of a stream; false when the message is full. */
  #turn(stream: Stream, batch: Batch, limit: number): boolean {
    const bulk = this.#bulk.has(stream);
    const before = batch.size;
    // The turn of a stream that opens is its OPEN; the rest is queued as that of any other.
    const turn = stream.opened ? BULK_TURN_BYTES : 1;
    let full = false;
    while (batch.size - before < turn) {
      const item = stream.outgoing.first;
      if (item === undefined || isStarved(item, Math.min(stream.sendWindow.credit, this.#window.credit))) break;
      const room = limit - batch.size - FRAME_HEADER_BYTES;
      const least = item.type === FrameType.DATA ? Math.min(1, item.payload.byteLength) : item.payload.byteLength;
      full = room < least && batch.size > 0;
      if (full) break;
      this.#send(stream, item, batch, Math.max(1, Math.min(room, BULK_TURN_BYTES)));
    }
    // A frame that did not fit behind others is first in the next message, so it cannot miss every one.
    if (full && batch.size === before) return false;
    this.#opening.delete(stream);
    this.#interactive.delete(stream);
    this.#bulk.delete(stream);
    this.#burst = bulk ? 0 : this.#burst + batch.size - before;
    this.ready(stream);
    if (stream.queuedBytes <= STREAM_QUEUE_LOW && this.#full.delete(stream)) this.#crowded.add(stream);
    // While all together have too much it goes on only once it has next to nothing.
    if (stream.queuedBytes <= STREAM_QUEUE_LEAST / 2 && this.#crowded.delete(stream)) this.#due.push(stream);
    return !full;
  }

  #send(stream: Stream, item: Outgoing, batch: Batch, room: number): void {
    let frame = item;
    if (item.type === FrameType.DATA) {
      frame = cutData(item, Math.min(room, stream.sendWindow.credit, this.#window.credit));
      stream.sendWindow.spend(frame.payload.byteLength);
      this.#window.spend(frame.payload.byteLength);
    }
    let bytes = frame.payload.byteLength;
    if (frame === item) {
      stream.outgoing.shift();
      bytes += QUEUED_FRAME_BYTES;
    }
    stream.queuedBytes -= bytes;
    this.#queued -= bytes;
    stream.opened = true;
    if (item.queuedAt < this.#oldest) this.#oldest = item.queuedAt;
    batch.add(frame.type, frame.flags, stream.incarnation, stream.sequence, frame.payload);
    if ((frame.flags & Flag.FIN) !== 0) this.#events.onLocalEnd(stream);
  }

  get #canWake(): boolean {
    return this.#crowded.size > 0 && this.#queued <= SESSION_QUEUE_LOW;
  }

  /** Tells waiting owners that there is room again. */
  #wake(): void {
    if (this.#canWake) {
      this.#due.push(...this.#crowded);
      this.#crowded.clear();
    }
    if (this.#due.length === 0) return;
    const due = this.#due;
    this.#due = [];
    for (const stream of due) this.#events.onWritable(stream);
  }
}

function first(streams: Set<Stream>): Stream | undefined {
  return streams.values().next().value;
}

/** Whether an item needs credit and there is none. */
function isStarved(item: Outgoing, credit: number): boolean {
  return item.type === FrameType.DATA && item.payload.byteLength > 0 && credit <= 0;
}
