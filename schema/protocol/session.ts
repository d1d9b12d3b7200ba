import { ProtocolCode, ProtocolError, violation } from './codec/codes.ts';
import { decodeCode, decodeCredit, decodeFrames } from './codec/decode.ts';
import { type Allocate, encodeCode } from './codec/encode.ts';
import { FIRST_OPTIONAL_TYPE, Flag, FrameType, isStreamKind, type Frame, type StreamKind } from './codec/frame.ts';
import { LAST_SEQUENCE, MAX_CONTROL_FRAMES, MAX_REASON_BYTES, MAX_VIEW_RATIO, type SessionLimits } from './limits.ts';
import type { SessionHandler, SessionOptions, SessionRole } from './handler.ts';
import { FrameRate } from './flow/frame-rate.ts';
import { Sender } from './flow/sender.ts';
import { openPayload, refusalToOpen } from './flow/opening.ts';
import type { Stream, StreamHandler } from './flow/stream.ts';
import { Streams } from './flow/streams.ts';

/** Before HELLO is settled only HELLO and GOAWAY are allowed; after the end nothing is. */
type Gate = 'hello' | 'open' | 'closed';

const NOTHING = new Uint8Array(0);
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
  readonly #streams: Streams;
  readonly #rate: FrameRate;
  #peer: SessionLimits | null = null;
  #gate: Gate = 'hello';
  /** We take no new streams. */
  #draining = false;
  /** The peer takes none. */
  #peerDraining = false;

  constructor(options: SessionOptions) {
    this.#role = options.role;
    this.#local = options.local;
    this.#handler = options.handler;
    this.#rate = new FrameRate(options.now ?? null);
    this.#streams = new Streams({
      local: options.local,
      now: options.now ?? null,
      lastSequence: options.lastSequence ?? 0,
      onFault: (error, stream) => this.#handler.onFault?.(error, stream),
    });
    this.#sender = new Sender(
      (options.incarnation ?? 0) & 0xffff,
      {
        onPending: () => this.#handler.onPending(),
        onLocalEnd: (stream) => this.#streams.localEnded(stream),
        onReset: (code) => this.#handler.onReset?.(code, 'local'),
        onGone: (stream) => this.#streams.delete(stream),
        onWritable: (stream) => this.#streams.call(stream, () => stream.handler.onWritable?.()),
        onTouched: (stream) => this.#streams.touched(stream),
      },
      options.now,
    );
  }

  get openStreams(): number {
    return this.#streams.size;
  }

  /** How long the oldest of what the last message took from streams had waited to be sent, ms; null: it took nothing from any. */
  get lastDelay(): number | null {
    return this.#sender.lastDelay;
  }

  /** Whether {@link Session.pull} has something to give. */
  get pending(): boolean {
    return this.#sender.pending;
  }

  /** What readers have not taken keeps others from being sent anything: {@link Session.relieve} about once a second while it does. */
  get congested(): boolean {
    return this.#streams.isCongested(this.#sender.held);
  }

  /** Ends the streams whose readers have taken nothing for longest, until the session is not congested or the rest still reads. Returns how many. */
  relieve(): number {
    let ended = 0;
    while (this.congested && this.#streams.endStalled()) ended++;
    return ended;
  }

  /** The adapter knows how long a question and its answer take, ms. The plane measures that by its streams itself. */
  sampleRoundTrip(ms: number): void {
    this.#streams.sampleRoundTrip(ms);
  }

  /**
   * HELLO is agreed: `peer` are the limits that the other end declared. Streams may be opened from here on, by the plane under `incarnation`
   * (HELLO itself needs none, so a stranger's dial does not use one up).
   */
  settle(peer: SessionLimits, incarnation?: number): void {
    if (this.#gate !== 'hello') return;
    if (incarnation !== undefined) this.#sender.incarnation = incarnation & 0xffff;
    this.#gate = 'open';
    this.#peer = peer;
    this.#sender.setWindows(peer.sessionWindow, this.#local.sessionWindow);
  }

  hello(payload: Uint8Array): void {
    if (this.#gate !== 'closed') this.#sender.control(FrameType.HELLO, 0, payload);
  }

  /** Says that this end takes no new streams (DRAIN), or why it ends the session. */
  goaway(code: ProtocolCode, reason: string): void {
    if (this.#gate === 'closed') return;
    this.#draining = true;
    this.#sender.control(FrameType.GOAWAY, 0, encodeCode(code, reason, MAX_REASON_BYTES));
  }

  /**
   * Plane: opens a stream. `fin`: no body follows.
   * @throws ProtocolError TUNNEL_LOST when the session is not open, DRAIN when it takes no new streams, OVERLOADED when the agent's
   * `maxStreams` are open or too much waits to be sent. Nothing was sent then.
   */
  open(kind: StreamKind, head: Uint8Array, fin: boolean, handler: StreamHandler): Stream {
    const peer = this.#peer;
    if (this.#gate !== 'open' || peer === null)
      throw new ProtocolError(ProtocolCode.TUNNEL_LOST, 'the tunnel is not open');
    const refusal = refusalToOpen({
      peerDraining: this.#peerDraining,
      open: this.#streams.size,
      most: Math.min(peer.maxStreams, this.#local.maxStreams),
      queuedBytes: this.#sender.queuedBytes,
    });
    if (refusal !== null) throw refusal;
    const sequence = this.#streams.nextSequence();
    const stream = this.#add(kind, sequence, handler, false);
    stream.enqueue(FrameType.OPEN, 0, openPayload(kind, head));
    if (fin) stream.end();
    if (sequence >= LAST_SEQUENCE) this.#usedUp();
    return stream;
  }

  /** Takes one binary message. */
  receive(message: Uint8Array): void {
    if (this.#gate === 'closed') return;
    try {
      let frames = 0;
      decodeFrames(message, (frame) => {
        frames++;
        this.#take(frame);
      });
      this.#rate.count(frames);
    } catch (error) {
      this.#fail(error instanceof ProtocolError ? error : new ProtocolError(ProtocolCode.INTERNAL, 'internal error'));
    }
  }

  /** The next message to send, of about `maxBytes` octets at most, in a buffer of `allocate`'s; null when there is none, or no credit. */
  pull(maxBytes?: number, allocate?: Allocate): Uint8Array<ArrayBuffer> | null {
    return this.#sender.pull(maxBytes, allocate);
  }

  /** The socket is gone: every stream hears TUNNEL_LOST, and nothing is sent any more. */
  close(reason: string): void {
    if (this.#gate === 'closed') return;
    this.#end(null, reason);
  }

  #add(kind: StreamKind, sequence: number, handler: StreamHandler, opened: boolean): Stream {
    const sendWindow = this.#peer?.streamWindow ?? 0;
    return this.#streams.add(this.#sender, { kind, sequence, handler, opened, sendWindow });
  }

  #take(frame: Frame): void {
    if (this.#gate === 'closed') return;
    if (frame.type === FrameType.HELLO) this.#hello(frame);
    else if (frame.type === FrameType.GOAWAY) {
      const { code, reason } = decodeCode(frame.payload);
      this.#goneAway(code, reason);
    } else if (frame.type < FIRST_OPTIONAL_TYPE) {
      if (this.#gate === 'hello') throw violation('a frame before HELLO was settled');
      if (frame.type === FrameType.OPEN) this.#opened(frame);
      else if (frame.incarnation === this.#sender.incarnation) this.#takeStreamFrame(frame);
    }
    if (this.#sender.controlFrames > MAX_CONTROL_FRAMES) {
      throw new ProtocolError(ProtocolCode.LIMIT, 'too many answers wait for a peer that reads none');
    }
  }

  #hello(frame: Frame): void {
    if (this.#gate !== 'hello') throw violation('HELLO after it was settled');
    if (this.#role === 'agent') this.#sender.incarnation = frame.incarnation;
    this.#handler.onHello(frame.payload);
  }

  #goneAway(code: number, reason: string): void {
    this.#peerDraining = true;
    this.#handler.onGoaway(code, reason);
    if (code !== ProtocolCode.DRAIN) this.close(reason);
  }

  /** Both ends have to know: the plane opens no more here, and the agent dials anew. */
  #usedUp(): void {
    const reason = 'stream sequences are used up';
    this.goaway(ProtocolCode.DRAIN, reason);
    this.#goneAway(ProtocolCode.DRAIN, reason);
  }

  #takeStreamFrame(frame: Frame): void {
    if (frame.sequence === 0) {
      this.#granted(frame, null);
      return;
    }
    if (frame.sequence > this.#streams.lastSequence || frame.sequence % 2 === 0)
      throw violation('a frame for a stream never opened');
    const stream = this.#streams.get(frame.sequence);
    if (stream?.opened === false) throw violation('a frame for a stream not opened yet');
    const bytes = frame.payload.byteLength;
    if (frame.type === FrameType.DATA && !this.#sender.received(bytes)) {
      throw new ProtocolError(ProtocolCode.FLOW_CONTROL, 'more DATA than the session has credit for');
    }
    if (stream === undefined) {
      if (frame.type === FrameType.DATA) this.#sender.consumed(this.#sender.life, bytes);
      return;
    }
    switch (frame.type) {
      case FrameType.ACCEPT:
        this.#accepted(stream);
        return;
      case FrameType.HEAD:
        this.#head(stream, frame);
        return;
      case FrameType.DATA:
        this.#data(stream, frame);
        return;
      case FrameType.END:
        this.#checkBody(stream);
        this.#streams.remoteEnded(stream, frame.payload);
        return;
      case FrameType.RESET: {
        const { code, reason } = decodeCode(frame.payload);
        this.#handler.onReset?.(code, 'peer');
        this.#streams.drop(stream, code, reason);
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
    if (frame.sequence % 2 === 0 || frame.sequence <= this.#streams.lastSequence)
      throw violation('OPEN of a used sequence');
    this.#streams.lastSequence = frame.sequence;
    const kind = frame.payload[0];
    if (!isStreamKind(kind)) {
      this.#refuse(frame, ProtocolCode.UNSUPPORTED, 'unknown stream kind');
      return;
    }
    if (this.#draining) {
      this.#refuse(frame, ProtocolCode.DRAIN, 'the agent is draining');
      return;
    }
    if (this.#streams.size >= this.#local.maxStreams) {
      this.#refuse(frame, ProtocolCode.OVERLOADED, 'too many streams');
      return;
    }
    const stream = this.#add(kind, frame.sequence, IGNORED, true);
    this.#streams.call(stream, () => this.#handler.onOpen(stream, frame.payload.subarray(1)));
    if ((frame.flags & Flag.FIN) !== 0) this.#streams.remoteEnded(stream, NOTHING);
  }

  #refuse({ sequence }: Frame, code: ProtocolCode, reason: string): void {
    this.#sender.control(FrameType.RESET, sequence, encodeCode(code, reason, MAX_REASON_BYTES));
    this.#handler.onReset?.(code, 'local');
  }

  #accepted(stream: Stream): void {
    if (this.#role === 'agent') throw violation('ACCEPT from the plane');
    if (stream.accepted || stream.headSeen) throw violation('ACCEPT twice, or after HEAD');
    stream.accepted = true;
    this.#streams.answered(stream);
    this.#streams.call(stream, () => stream.handler.onAccept?.());
  }

  #head(stream: Stream, frame: Frame): void {
    if (this.#role === 'agent') throw violation('HEAD from the plane');
    if (stream.headSeen) throw violation('a second HEAD');
    stream.headSeen = true;
    if (!stream.accepted) this.#streams.answered(stream);
    this.#streams.call(stream, () => stream.handler.onHead?.(frame.payload));
    if ((frame.flags & Flag.FIN) !== 0) this.#streams.remoteEnded(stream, NOTHING);
  }

  #data(stream: Stream, frame: Frame): void {
    this.#checkBody(stream);
    const { payload, flags } = frame;
    if (!stream.receiveWindow.received(payload.byteLength)) {
      throw new ProtocolError(ProtocolCode.FLOW_CONTROL, 'more DATA than the stream has credit for');
    }
    if (payload.byteLength > 0) this.#streams.hold(stream);
    // What a view keeps is its whole buffer, which may hold more than this message. `slice` would be a view again where the message is a Node Buffer.
    const copied = payload.byteLength * MAX_VIEW_RATIO < payload.buffer.byteLength;
    this.#streams.call(stream, () => stream.handler.onData(copied ? new Uint8Array(payload) : payload, flags));
    if ((flags & Flag.FIN) !== 0) this.#streams.remoteEnded(stream, NOTHING);
  }

  /** DATA and END follow a HEAD, where the peer owes one, and nothing follows FIN. */
  #checkBody(stream: Stream): void {
    if (this.#role === 'plane' && !stream.headSeen) throw violation('a body before HEAD');
    if (stream.remoteEnded) throw violation('a frame after FIN');
  }

  #granted(frame: Frame, stream: Stream | null): void {
    const credit = decodeCredit(frame.payload);
    if (credit === 0) throw violation('WINDOW of nothing');
    const fine = stream === null ? this.#sender.granted(credit) : stream.sendWindow.grant(credit);
    if (!fine) throw new ProtocolError(ProtocolCode.FLOW_CONTROL, 'credit past 2^31 - 1');
    if (stream !== null) this.#sender.ready(stream);
  }

  #startIncarnation(incarnation: number): void {
    this.#streams.startIncarnation();
    this.#sender.startIncarnation(incarnation);
    this.#sender.setWindows(this.#peer?.sessionWindow ?? 0, this.#local.sessionWindow);
  }

  #fail(error: ProtocolError): void {
    if (this.#gate === 'closed') return;
    this.#end(encodeCode(error.code, error.message, MAX_REASON_BYTES), error.message);
    this.#handler.onError(error);
  }

  #end(goaway: Uint8Array | null, reason: string): void {
    this.#gate = 'closed';
    this.#sender.end(goaway);
    for (let left = this.#streams.size; left > 0; left--) this.#handler.onReset?.(ProtocolCode.TUNNEL_LOST, 'local');
    this.#streams.dropAll(ProtocolCode.TUNNEL_LOST, reason);
  }
}
