import { ProtocolCode, ProtocolError } from './codes.ts';
import { decodeCode, decodeCredit, decodeFrames } from './decode.ts';
import { encodeCode } from './encode.ts';
import { FIRST_OPTIONAL_TYPE, Flag, FrameType, type Frame, type StreamKind } from './frame.ts';
import { LAST_SEQUENCE, MAX_REASON_BYTES, type SessionLimits } from './limits.ts';
import { Sender } from './sender.ts';
import { Stream, type StreamHandler } from './stream.ts';

/** Which end of the tunnel a session is: the plane opens streams, the agent serves them. */
export type SessionRole = 'plane' | 'agent';

/** The verbs that a session gives its adapter. All are called synchronously. */
export interface SessionHandler {
  /** Agent: the plane opened a stream. Set `stream.handler` before returning; with `fin` it hears `onEnd` next. `head` is a view. */
  onOpen(stream: Stream, head: Uint8Array): void;
  /** `payload` is HELLO's JSON: parse it by `hello.ts`. */
  onHello(payload: Uint8Array): void;
  /** The peer drains (DRAIN), or ends the session with any other code. */
  onGoaway(code: number, reason: string): void;
  /** There is something to send: pull once per turn of the event loop. */
  onPending(): void;
  /** The peer broke the protocol; every stream has heard TUNNEL_LOST. Pull once more (the GOAWAY), then close the socket. */
  onError(error: ProtocolError): void;
}

/** Before HELLO is settled only HELLO and GOAWAY are allowed; after the end nothing is. */
type Gate = 'hello' | 'open' | 'closed';

const IGNORED: StreamHandler = { onData: () => undefined, onEnd: () => undefined, onReset: () => undefined };

/**
 * A session's state machine (README): takes messages, gives messages, knows no socket and no clock. It never throws for what the peer does, and a
 * handler that throws loses its own stream only.
 */
export class Session {
  readonly #role: SessionRole;
  readonly #local: SessionLimits;
  readonly #handler: SessionHandler;
  readonly #sender: Sender;
  readonly #streams = new Map<number, Stream>();
  #peer: SessionLimits | null = null;
  #gate: Gate = 'hello';
  #draining = false;
  /** The highest sequence opened in this incarnation, by either end. */
  #lastSequence = 0;

  constructor(options: { role: SessionRole; local: SessionLimits; handler: SessionHandler; incarnation?: number }) {
    this.#role = options.role;
    this.#local = options.local;
    this.#handler = options.handler;
    this.#sender = new Sender(options.incarnation ?? 0, {
      onPending: () => this.#handler.onPending(),
      onLocalEnd: (stream) => this.#localEnded(stream),
      onGone: (stream) => this.#streams.delete(stream.sequence),
    });
  }

  get openStreams(): number {
    return this.#streams.size;
  }

  /** Whether {@link Session.pull} has something to give. */
  get pending(): boolean {
    return this.#sender.pending;
  }

  /** HELLO is agreed: `peer` are the limits that the other end declared. Streams may be opened from here on. */
  settle(peer: SessionLimits): void {
    if (this.#gate !== 'hello') return;
    this.#gate = 'open';
    this.#peer = peer;
    this.#sender.setWindows(peer.sessionWindow, this.#local.sessionWindow);
  }

  hello(payload: Uint8Array): void {
    if (this.#gate !== 'closed') this.#sender.control(FrameType.HELLO, null, payload);
  }

  /** Says that this end takes no new streams (DRAIN), or why it ends the session. */
  goaway(code: ProtocolCode, reason: string): void {
    if (this.#gate === 'closed') return;
    this.#draining = true;
    this.#sender.control(FrameType.GOAWAY, null, encodeCode(code, reason, MAX_REASON_BYTES));
  }

  /**
   * Plane: opens a stream. `fin`: no body follows.
   * @throws ProtocolError OVERLOADED when the agent's `maxStreams` are open, TUNNEL_LOST when the session is not open.
   */
  open(kind: StreamKind, head: Uint8Array, fin: boolean, handler: StreamHandler): Stream {
    const peer = this.#peer;
    if (this.#gate !== 'open' || peer === null)
      throw new ProtocolError(ProtocolCode.TUNNEL_LOST, 'the tunnel is not open');
    if (this.#streams.size >= Math.min(peer.maxStreams, this.#local.maxStreams)) {
      throw new ProtocolError(ProtocolCode.OVERLOADED, `${this.#streams.size} requests are under way on this tunnel`);
    }
    const sequence = this.#lastSequence === 0 ? 1 : this.#lastSequence + 2;
    this.#lastSequence = sequence;
    const stream = this.#add(kind, this.#sender.incarnation, sequence, handler, false);
    const payload = new Uint8Array(1 + head.byteLength);
    payload[0] = kind;
    payload.set(head, 1);
    stream.outgoing.push({ type: FrameType.OPEN, flags: 0, payload });
    this.#sender.ready(stream);
    if (fin) stream.end();
    if (sequence > LAST_SEQUENCE) this.#handler.onGoaway(ProtocolCode.DRAIN, 'stream sequences are used up');
    return stream;
  }

  /** Takes one binary message. */
  receive(message: Uint8Array): void {
    if (this.#gate === 'closed') return;
    try {
      decodeFrames(message, (frame) => this.#take(frame));
    } catch (error) {
      this.#fail(error instanceof ProtocolError ? error : new ProtocolError(ProtocolCode.INTERNAL, 'internal error'));
    }
  }

  /** The next message to send, of about `maxBytes` octets at most; null when there is none, or no credit. */
  pull(maxBytes?: number): Uint8Array<ArrayBuffer> | null {
    return this.#sender.pull(maxBytes);
  }

  /** The socket is gone: every stream hears TUNNEL_LOST, and nothing is sent any more. */
  close(reason: string): void {
    if (this.#gate === 'closed') return;
    this.#gate = 'closed';
    this.#dropAll(ProtocolCode.TUNNEL_LOST, reason);
  }

  #add(kind: StreamKind, incarnation: number, sequence: number, handler: StreamHandler, opened: boolean): Stream {
    const stream = new Stream({
      kind,
      incarnation,
      sequence,
      handler,
      opened,
      sender: this.#sender,
      sendWindow: this.#peer?.streamWindow ?? 0,
      receiveWindow: this.#local.streamWindow,
    });
    this.#streams.set(sequence, stream);
    return stream;
  }

  #take(frame: Frame): void {
    switch (frame.type) {
      case FrameType.HELLO:
        if (this.#role === 'agent' && this.#gate === 'hello') this.#sender.incarnation = frame.incarnation;
        this.#handler.onHello(frame.payload);
        return;
      case FrameType.GOAWAY: {
        const { code, reason } = decodeCode(frame.payload);
        this.#handler.onGoaway(code, reason);
        return;
      }
      default:
    }
    if (this.#gate === 'closed' || frame.type >= FIRST_OPTIONAL_TYPE) return;
    if (this.#gate === 'hello') throw violation('a frame before HELLO was settled');
    if (frame.type === FrameType.OPEN) this.#opened(frame);
    else if (frame.incarnation === this.#sender.incarnation) this.#takeStreamFrame(frame);
  }

  #takeStreamFrame(frame: Frame): void {
    if (frame.sequence === 0) {
      if (frame.type === FrameType.WINDOW) this.#granted(frame, null);
      return;
    }
    if (frame.sequence > this.#lastSequence || frame.sequence % 2 === 0)
      throw violation('a frame for a stream never opened');
    const stream = this.#streams.get(frame.sequence);
    if (frame.type === FrameType.DATA && !this.#sender.sessionReceived(frame.payload.byteLength)) {
      throw new ProtocolError(ProtocolCode.FLOW_CONTROL, 'more DATA than the session has credit for');
    }
    if (stream === undefined) {
      if (frame.type === FrameType.DATA) this.#sender.sessionConsumed(frame.payload.byteLength);
      return;
    }
    switch (frame.type) {
      case FrameType.ACCEPT:
        if (this.#role === 'agent') throw violation('ACCEPT from the plane');
        this.#call(stream, () => stream.handler.onAccept?.());
        return;
      case FrameType.HEAD:
        this.#head(stream, frame);
        return;
      case FrameType.DATA:
        this.#data(stream, frame);
        return;
      case FrameType.END:
        this.#checkHalfOpen(stream);
        this.#remoteEnded(stream, frame.payload);
        return;
      case FrameType.RESET: {
        const { code, reason } = decodeCode(frame.payload);
        this.#drop(stream, code, reason);
        return;
      }
      case FrameType.WINDOW:
        this.#granted(frame, stream);
        return;
      default:
    }
  }

  #opened(frame: Frame): void {
    if (this.#role === 'plane') throw violation('OPEN from the agent');
    if (frame.incarnation !== this.#sender.incarnation) this.#startIncarnation(frame.incarnation);
    if (frame.sequence % 2 === 0 || frame.sequence <= this.#lastSequence) throw violation('OPEN of a used sequence');
    this.#lastSequence = frame.sequence;
    const kind = frame.payload[0] as StreamKind;
    const stream = this.#add(kind, frame.incarnation, frame.sequence, IGNORED, true);
    if (this.#draining) {
      stream.reset(ProtocolCode.DRAIN, 'the agent is draining');
      return;
    }
    if (this.#streams.size > this.#local.maxStreams) {
      stream.reset(ProtocolCode.OVERLOADED, 'too many streams');
      return;
    }
    this.#call(stream, () => this.#handler.onOpen(stream, frame.payload.subarray(1)));
    if ((frame.flags & Flag.FIN) !== 0) this.#remoteEnded(stream, frame.payload.subarray(frame.payload.byteLength));
  }

  #head(stream: Stream, frame: Frame): void {
    if (this.#role === 'agent') throw violation('HEAD from the plane');
    this.#checkHalfOpen(stream);
    if (stream.headSeen) throw violation('a second HEAD');
    stream.headSeen = true;
    this.#call(stream, () => stream.handler.onHead?.(frame.payload));
    if ((frame.flags & Flag.FIN) !== 0) this.#remoteEnded(stream, frame.payload.subarray(frame.payload.byteLength));
  }

  #data(stream: Stream, frame: Frame): void {
    this.#checkHalfOpen(stream);
    if (this.#role === 'plane' && !stream.headSeen) throw violation('DATA before HEAD');
    if (!stream.receiveWindow.received(frame.payload.byteLength)) {
      throw new ProtocolError(ProtocolCode.FLOW_CONTROL, 'more DATA than the stream has credit for');
    }
    this.#call(stream, () => stream.handler.onData(frame.payload, frame.flags));
    if ((frame.flags & Flag.FIN) !== 0) this.#remoteEnded(stream, frame.payload.subarray(frame.payload.byteLength));
  }

  #checkHalfOpen(stream: Stream): void {
    if (stream.remoteEnded) throw violation('a frame after FIN');
  }

  #remoteEnded(stream: Stream, payload: Uint8Array): void {
    stream.remoteEnded = true;
    if (!stream.gone) this.#call(stream, () => stream.handler.onEnd(payload));
    this.#finishIfDone(stream);
  }

  #localEnded(stream: Stream): void {
    stream.localEnded = true;
    this.#finishIfDone(stream);
  }

  #finishIfDone(stream: Stream): void {
    if (!stream.localEnded || !stream.remoteEnded) return;
    stream.finish();
  }

  #granted(frame: Frame, stream: Stream | null): void {
    const credit = decodeCredit(frame.payload);
    const fine = stream === null ? this.#sender.sessionGranted(credit) : stream.sendWindow.grant(credit);
    if (!fine) throw new ProtocolError(ProtocolCode.FLOW_CONTROL, 'WINDOW of nothing, or past 2^31 - 1');
    if (stream !== null) this.#sender.ready(stream);
  }

  /** A handler's fault costs its own stream. */
  #call(stream: Stream, verb: () => void): void {
    try {
      verb();
    } catch {
      const { handler } = stream;
      stream.reset(ProtocolCode.INTERNAL, 'internal error');
      stream.handler = IGNORED;
      quietly(() => handler.onReset(ProtocolCode.INTERNAL, 'internal error'));
    }
  }

  #startIncarnation(incarnation: number): void {
    this.#dropAll(ProtocolCode.CANCELLED, 'the plane has forgotten the stream');
    this.#lastSequence = 0;
    this.#sender.startIncarnation(incarnation);
    this.#sender.setWindows(this.#peer?.sessionWindow ?? 0, this.#local.sessionWindow);
  }

  #drop(stream: Stream, code: number, reason: string): void {
    stream.release();
    quietly(() => stream.handler.onReset(code, reason));
  }

  #dropAll(code: ProtocolCode, reason: string): void {
    for (const stream of [...this.#streams.values()]) this.#drop(stream, code, reason);
  }

  #fail(error: ProtocolError): void {
    this.goaway(error.code, error.message);
    this.#gate = 'closed';
    this.#dropAll(ProtocolCode.TUNNEL_LOST, error.message);
    this.#handler.onError(error);
  }
}

function violation(detail: string): ProtocolError {
  return new ProtocolError(ProtocolCode.PROTOCOL_ERROR, detail);
}

/** Runs the last verb of a stream that is gone already: there is nothing left that its fault could cost. */
function quietly(verb: () => void): void {
  try {
    verb();
  } catch {
    return;
  }
}
