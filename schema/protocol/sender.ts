import { Batch, encodeCredit } from './encode.ts';
import { Flag, FRAME_HEADER_BYTES, FrameType } from './frame.ts';
import {
  BULK_TURN_BYTES,
  INTERACTIVE_BURST_BYTES,
  INTERACTIVE_BYTES,
  MAX_MESSAGE_BYTES,
  PULL_BYTES,
  SESSION_QUEUE_HIGH,
  SESSION_QUEUE_LOW,
  STREAM_QUEUE_HIGH,
  STREAM_QUEUE_LOW,
} from './limits.ts';
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
  /** A stream is over: nothing of it is sent or taken any more. */
  onGone(stream: Stream): void;
}

/**
 * The sending half of a session: who goes next (README "Fairness"), within credit. Streams with something to send are in exactly one of
 * `interactive`, `bulk` and `starved` (waiting for the session's credit), or in none (waiting for their own).
 */
export class Sender implements StreamSender {
  incarnation: number;
  #control: Control[] = [];
  readonly #interactive = new Set<Stream>();
  readonly #bulk = new Set<Stream>();
  readonly #starved = new Set<Stream>();
  /** Streams whose owner waits for room. */
  readonly #waiting = new Set<Stream>();
  #queued = 0;
  #window = new SendWindow(0);
  #received = new ReceiveWindow(0);
  #burst = 0;
  readonly #events: SenderEvents;

  constructor(incarnation: number, events: SenderEvents) {
    this.incarnation = incarnation;
    this.#events = events;
  }

  /** Sets both session windows to what HELLO settled; also when an incarnation ends. */
  setWindows(peer: number, local: number): void {
    this.#window = new SendWindow(peer);
    this.#received = new ReceiveWindow(local);
  }

  /** Forgets everything of an incarnation that has ended, but for what belongs to the session. */
  startIncarnation(incarnation: number): void {
    this.incarnation = incarnation;
    this.#control = this.#control.filter((c) => c.type === FrameType.HELLO || c.type === FrameType.GOAWAY);
  }

  get pending(): boolean {
    return this.#control.length > 0 || this.#interactive.size > 0 || this.#bulk.size > 0;
  }

  /** False when the peer sent more than the session's window. */
  sessionReceived(bytes: number): boolean {
    return this.#received.received(bytes);
  }

  sessionConsumed(bytes: number): void {
    const credit = this.#received.consumed(bytes);
    if (credit > 0) this.control(FrameType.WINDOW, null, encodeCredit(credit));
  }

  /** False when the credit overflows. */
  sessionGranted(credit: number): boolean {
    const fine = this.#window.grant(credit);
    const starved = [...this.#starved];
    this.#starved.clear();
    for (const stream of starved) this.ready(stream);
    return fine;
  }

  control(type: number, stream: Stream | null, payload: Uint8Array): void {
    this.#control.push({ type, sequence: stream?.sequence ?? 0, payload });
    this.#events.onPending();
  }

  /** RESET, unless the stream's OPEN was never sent: the peer does not know it then. */
  reset(stream: Stream, payload: Uint8Array): void {
    if (stream.opened) this.control(FrameType.RESET, stream, payload);
  }

  /** Queues a stream for its turn, if its credit lets it send something. */
  ready(stream: Stream): void {
    const item = stream.outgoing[0];
    if (item === undefined || stream.gone) return;
    if (isStarved(item, stream.sendWindow.credit)) return;
    if (isStarved(item, this.#window.credit)) {
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

  queued(stream: Stream, bytes: number): boolean {
    this.#queued += bytes;
    if (stream.queuedBytes < STREAM_QUEUE_HIGH && this.#queued < SESSION_QUEUE_HIGH) return true;
    this.#waiting.add(stream);
    return false;
  }

  forget(stream: Stream): void {
    this.#queued -= stream.queuedBytes;
    for (const set of [this.#interactive, this.#bulk, this.#starved, this.#waiting]) set.delete(stream);
    this.#events.onGone(stream);
  }

  /** The next message of at most about `maxBytes` octets; null when nothing may be sent now. */
  pull(maxBytes = PULL_BYTES): Uint8Array<ArrayBuffer> | null {
    const batch = new Batch();
    const limit = Math.min(maxBytes, MAX_MESSAGE_BYTES);
    this.#takeControl(batch, limit);
    while (batch.size < limit) {
      const stream = this.#next();
      if (stream === null) break;
      if (!this.#turn(stream, batch, limit)) break;
    }
    this.#wake();
    return batch.size === 0 ? null : batch.finish();
  }

  #takeControl(batch: Batch, limit: number): void {
    let taken = 0;
    for (const { type, sequence, payload } of this.#control) {
      if (taken > 0 && batch.size + FRAME_HEADER_BYTES + payload.byteLength > limit) break;
      batch.add(type, 0, this.incarnation, sequence, payload);
      taken++;
    }
    this.#control.splice(0, taken);
  }

  #next(): Stream | null {
    const owed = this.#burst >= INTERACTIVE_BURST_BYTES && this.#bulk.size > 0;
    const set = this.#interactive.size > 0 && !owed ? this.#interactive : this.#bulk;
    for (const stream of set) {
      set.delete(stream);
      return stream;
    }
    return null;
  }

  /** Sends one turn of a stream; false when the message is full and the stream must wait for the next. */
  #turn(stream: Stream, batch: Batch, limit: number): boolean {
    const bulk = stream.queuedBytes > INTERACTIVE_BYTES;
    const before = batch.size;
    let fits = true;
    while (batch.size - before < BULK_TURN_BYTES) {
      const item = stream.outgoing[0];
      if (item === undefined || isStarved(item, Math.min(stream.sendWindow.credit, this.#window.credit))) break;
      const left = limit - batch.size - FRAME_HEADER_BYTES;
      const room = item.type === FrameType.DATA ? Math.min(left, BULK_TURN_BYTES) : left;
      fits = item.type === FrameType.DATA ? room > 0 : room >= item.payload.byteLength || batch.size === 0;
      if (!fits) break;
      this.#send(stream, item, batch, Math.max(room, 1));
    }
    this.#burst = bulk ? 0 : this.#burst + batch.size - before;
    this.ready(stream);
    return fits;
  }

  #send(stream: Stream, item: Outgoing, batch: Batch, room: number): void {
    let frame = item;
    if (item.type === FrameType.DATA) {
      frame = cutData(item, Math.min(room, stream.sendWindow.credit, this.#window.credit));
      const bytes = frame.payload.byteLength;
      stream.sendWindow.spend(bytes);
      this.#window.spend(bytes);
      stream.queuedBytes -= bytes;
      this.#queued -= bytes;
    }
    if (frame === item) stream.outgoing.shift();
    stream.opened = true;
    batch.add(frame.type, frame.flags, stream.incarnation, stream.sequence, frame.payload);
    if ((frame.flags & Flag.FIN) !== 0) this.#events.onLocalEnd(stream);
  }

  /** Tells waiting owners that there is room again. */
  #wake(): void {
    if (this.#waiting.size === 0 || this.#queued > SESSION_QUEUE_LOW) return;
    for (const stream of this.#waiting) {
      if (stream.queuedBytes > STREAM_QUEUE_LOW) continue;
      this.#waiting.delete(stream);
      stream.handler.onWritable?.();
    }
  }
}

/** Whether an item needs credit and there is none. */
function isStarved(item: Outgoing, credit: number): boolean {
  return item.type === FrameType.DATA && item.payload.byteLength > 0 && credit <= 0;
}
