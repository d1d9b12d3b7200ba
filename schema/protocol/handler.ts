import type { ProtocolError } from './codec/codes.ts';
import type { Stream } from './flow/stream.ts';
import type { SessionLimits } from './limits.ts';

/** Which end of the tunnel a session is: the plane opens streams, the agent serves them. */
export type SessionRole = 'plane' | 'agent';

/** The verbs that a session gives its adapter. All are called synchronously. */
export interface SessionHandler {
  /** Agent: the plane opened a stream. Set `stream.handler` before returning; with `fin` it hears `onEnd` next. `head` is a view. */
  onOpen(stream: Stream, head: Uint8Array): void;
  /** `payload` is HELLO's JSON: parse it by `hello.ts`. */
  onHello(payload: Uint8Array): void;
  /** No new streams on this session (DRAIN: the peer says so, or sequences are used up), or with any other code: the peer has ended it. */
  onGoaway(code: number, reason: string): void;
  /** There is something to send: pull once per turn of the event loop. */
  onPending(): void;
  /** The peer broke the protocol; every stream has heard TUNNEL_LOST. Pull once more (the GOAWAY), then close the socket. */
  onError(error: ProtocolError): void;
  /** A stream's handler threw: a fault of this end, for its log. The stream was reset; the others go on. */
  onFault?(error: unknown, stream: Stream): void;
  /** For counting: a stream was reset, by this end or by the other; TUNNEL_LOST, with its session. */
  onReset?(code: number, by: 'local' | 'peer'): void;
}

/** What a session is made with. */
export interface SessionOptions {
  readonly role: SessionRole;
  readonly local: SessionLimits;
  readonly handler: SessionHandler;
  /** A clock in ms, from any beginning; without one, windows do not grow, nobody is found to be stalled, and no rate is known. */
  readonly now?: () => number;
  /** Wraps at 16 bits. */
  readonly incarnation?: number;
  /** The highest that was used before, 0 or odd. */
  readonly lastSequence?: number;
}
