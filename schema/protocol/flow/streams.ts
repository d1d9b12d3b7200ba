import { ProtocolCode, ProtocolError } from '../codec/codes.ts';
import type { StreamKind } from '../codec/frame.ts';
import { Holding } from './holding.ts';
import { CONGESTED_PART, GROWTH_PART, type SessionLimits } from '../limits.ts';
import type { Sender } from './sender.ts';
import { Stream, type StreamHandler } from './stream.ts';
import { Tuning } from './tuning.ts';

/** The streams of a session: who is open, who holds what, and that no stream's owner costs another stream anything. */
export class Streams {
  readonly #local: SessionLimits;
  /** Ms, from any beginning; null: windows do not grow, and nobody is found to be stalled. */
  readonly #now: (() => number) | null;
  readonly #onFault: (error: unknown, stream: Stream) => void;
  readonly #open = new Map<number, Stream>();
  readonly #holding: Holding;
  #tuning: Tuning | null = null;
  /** The highest sequence opened in this incarnation, by either end. */
  lastSequence: number;

  constructor(options: {
    local: SessionLimits;
    now: (() => number) | null;
    lastSequence: number;
    onFault: (error: unknown, stream: Stream) => void;
  }) {
    this.#local = options.local;
    this.#now = options.now;
    this.#onFault = options.onFault;
    this.lastSequence = options.lastSequence;
    this.#holding = new Holding(options.now ?? (() => 0));
    this.#tune();
  }

  /** The sequence of the next stream that the plane opens: odd, and rising. */
  nextSequence(): number {
    this.lastSequence = this.lastSequence === 0 ? 1 : this.lastSequence + 2;
    return this.lastSequence;
  }

  get size(): number {
    return this.#open.size;
  }

  get(sequence: number): Stream | undefined {
    return this.#open.get(sequence);
  }

  add(
    sender: Sender,
    options: { kind: StreamKind; sequence: number; handler: StreamHandler; opened: boolean; sendWindow: number },
  ): Stream {
    const { incarnation } = sender;
    const receiveWindow = this.#local.streamWindow;
    const stream = new Stream({ ...options, incarnation, sender, receiveWindow, tuning: this.#tuning });
    stream.touchedAt = this.#now?.() ?? 0;
    this.#open.set(options.sequence, stream);
    return stream;
  }

  delete(stream: Stream): void {
    this.#open.delete(stream.sequence);
  }

  /** From OPEN to the first answer is a round trip and what the API server took, which is least when it has nothing to do. */
  answered(stream: Stream): void {
    if (this.#now !== null) this.sampleRoundTrip(this.#now() - stream.touchedAt);
  }

  sampleRoundTrip(ms: number): void {
    this.#tuning?.sample(ms);
  }

  /** Something came that its reader has to take. */
  hold(stream: Stream): void {
    this.#holding.add(stream);
  }

  /** Its reader took something. */
  touched(stream: Stream): void {
    this.#holding.touched(stream);
  }

  /** Whether `held` octets of the session's window, received and not consumed, are too many. */
  isCongested(held: number): boolean {
    return this.#now !== null && held > this.#local.sessionWindow * CONGESTED_PART;
  }

  /** Ends the stream whose reader has taken nothing for longest; false: there is none for which that is too long. */
  endStalled(): boolean {
    const stream = this.#holding.stalled();
    if (stream === null) return false;
    const reason = 'its data were not read while others waited';
    stream.reset(ProtocolCode.LIMIT, reason);
    quietly(() => {
      if (stream.handler.onStalled === undefined) stream.handler.onReset(ProtocolCode.LIMIT, reason);
      else stream.handler.onStalled(reason);
    });
    return true;
  }

  /** A handler's fault costs its own stream; a ProtocolError says with which code. */
  call(stream: Stream, verb: () => void): void {
    if (stream.gone) return;
    try {
      verb();
    } catch (error) {
      this.#onFault(error, stream);
      if (stream.gone) return;
      const refused = error instanceof ProtocolError;
      const code = refused ? error.code : ProtocolCode.INTERNAL;
      const reason = refused ? error.message : 'internal error';
      stream.reset(code, reason);
      quietly(() => stream.handler.onReset(code, reason));
    }
  }

  remoteEnded(stream: Stream, payload: Uint8Array): void {
    stream.remoteEnded = true;
    this.call(stream, () => stream.handler.onEnd(payload));
    finishIfDone(stream);
  }

  localEnded(stream: Stream): void {
    stream.localEnded = true;
    finishIfDone(stream);
  }

  drop(stream: Stream, code: number, reason: string): void {
    stream.release();
    quietly(() => stream.handler.onReset(code, reason));
  }

  dropAll(code: ProtocolCode, reason: string): void {
    for (const stream of this.#open.values()) this.drop(stream, code, reason);
  }

  /** The plane forgot everything, and so do we; windows begin anew, and with them the room for their growth. */
  startIncarnation(): void {
    this.dropAll(ProtocolCode.CANCELLED, 'the plane has forgotten the stream');
    this.lastSequence = 0;
    this.#holding.clear();
    this.#tune();
  }

  #tune(): void {
    if (this.#now !== null) this.#tuning = new Tuning(this.#now, this.#local.sessionWindow * GROWTH_PART, this.#tuning);
  }
}

function finishIfDone(stream: Stream): void {
  if (stream.localEnded && stream.remoteEnded) stream.finish();
}

/** Runs the last verb of a stream that is gone already: there is nothing left that its fault could cost. */
function quietly(verb: () => void): void {
  try {
    verb();
  } catch {
    return;
  }
}
