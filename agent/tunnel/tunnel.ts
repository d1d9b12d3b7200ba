import type { WebSocket } from 'ws';
import { CLOSE_CODE_BASE, codeName, ProtocolCode, type ProtocolError } from '#schema/protocol/codec/codes.ts';
import {
  DRAIN_LINGER_MS,
  HELLO_TIMEOUT_MS,
  PING_INTERVAL_MS,
  RELIEF_CHECK_MS,
  SILENCE_MS,
} from '#schema/protocol/limits.ts';
import type { SessionHandler } from '#schema/protocol/handler.ts';
import { Session } from '#schema/protocol/session.ts';
import type { Stream } from '#schema/protocol/flow/stream.ts';
import { describeError, type Logger } from '../log.ts';
import type { AgentMetrics } from '../metrics.ts';
import { MessageBuffers } from './buffers.ts';
import { type Claim, Handshake, prove } from './handshake.ts';

/** What may wait in the socket. More would sit there in order, and interactive frames behind it; less would leave a fast line idle. */
export const MAX_BUFFERED_BYTES = 1024 * 1024;

/** Liveness (README "Messages"): text, because only text is answered without waking the plane's object. */
const PING = 'ping';
const PONG = 'pong';

/** RFC 6455 §7.4.1: the purpose is fulfilled. */
const NORMAL_CLOSURE = 1000;

/** Codes above have no close code of their own; close codes end at 4999. */
const MAX_CODE = 999;

/** How a tunnel ended. */
export interface TunnelEnd {
  /** How long it was settled, ms; null: never. */
  settledMs: number | null;
  /** The plane does not accept who we say we are. */
  refused: boolean;
  reason: string;
}

export interface TunnelEvents {
  onSettled(standby: boolean): void;
  /** The plane wants no new streams here: time for another tunnel. */
  onDrain(): void;
  /** The last event; the socket is closed. */
  onClosed(end: TunnelEnd): void;
}

export interface TunnelOptions {
  /** Open and paused, from `dial.ts`. */
  socket: WebSocket;
  claim: Claim;
  serve: (stream: Stream, head: Uint8Array) => void;
  events: TunnelEvents;
  metrics: AgentMetrics;
  log: Logger;
}

/** One tunnel: a {@link Session} on a WebSocket. Knows time and the socket; what streams mean is `serve`'s. */
export class Tunnel implements SessionHandler {
  readonly #options: TunnelOptions;
  readonly #socket: WebSocket;
  readonly #session: Session;
  readonly #handshake = new Handshake();
  readonly #buffers = new MessageBuffers();
  readonly #helloTimer: NodeJS.Timeout;
  readonly #pingTimer: NodeJS.Timeout;
  /** Runs while the session is congested. */
  #reliefTimer: NodeJS.Timeout | undefined;
  /** When the first ping whose pong has not come was sent; null: none is out. */
  #pingedAt: number | null = null;
  #heardAt = performance.now();
  #settledAt: number | null = null;
  #flushing = false;
  #draining = false;
  /** Runs once the tunnel drains; undefined before. */
  #lingerTimer: NodeJS.Timeout | undefined;
  /** Whatever crossed the GOAWAY has come by now. */
  #lingered = false;
  /** The first reason that was given; what follows from it says less. */
  #reason = '';
  #refused = false;

  constructor(options: TunnelOptions) {
    this.#options = options;
    this.#socket = options.socket;
    this.#session = new Session({
      role: 'agent',
      local: options.claim.limits,
      now: () => performance.now(),
      handler: this,
    });
    this.#helloTimer = setTimeout(() => this.#abandon('the plane did not finish HELLO in time'), HELLO_TIMEOUT_MS);
    this.#pingTimer = setInterval(() => this.#ping(), PING_INTERVAL_MS);
    const socket = this.#socket;
    socket.on('message', (data: Buffer, binary) => this.#receive(data, binary));
    socket.on('error', (error) => this.#because(error.message));
    socket.on('close', (code, reason) => this.#closed(code, reason.toString('utf8')));
    socket.resume();
  }

  get openStreams(): number {
    return this.#session.openStreams;
  }

  /** Takes no new streams and closes once those under way are done. `announce`: the plane does not know yet. */
  drain(announce: boolean): void {
    if (announce && !this.#draining) this.#session.goaway(ProtocolCode.DRAIN, 'the agent is stopping');
    this.#draining = true;
    this.#lingerTimer ??= setTimeout(() => {
      this.#lingered = true;
      this.#closeIfDrained();
    }, DRAIN_LINGER_MS);
  }

  /** Ends everything at once. */
  terminate(reason: string): void {
    this.#abandon(reason);
  }

  // SessionHandler

  onOpen(stream: Stream, head: Uint8Array): void {
    this.#options.serve(stream, head);
  }

  onHello(payload: Uint8Array): void {
    const step = this.#handshake.receive(payload);
    if (step.do === 'prove') {
      prove(step.challenge, step.version, this.#options.claim).then(
        (proof) => this.#session.hello(proof),
        () => this.#abandon('the proof could not be signed'),
      );
      return;
    }
    clearTimeout(this.#helloTimer);
    this.#settledAt = performance.now();
    this.#session.settle(step.limits);
    // Not only for liveness: its pong says how long a round trip is.
    this.#ping();
    this.#options.events.onSettled(step.settled.standby);
  }

  onGoaway(code: number, reason: string): void {
    if (code === ProtocolCode.DRAIN) {
      this.#options.events.onDrain();
      return;
    }
    this.#because(`the plane ended the tunnel: ${codeName(code)} ${reason}`);
    if (code === ProtocolCode.UNAUTHENTICATED) this.#refused = true;
    // Not left to the plane: one that never closes would keep a tunnel up that serves nothing.
    this.#socket.close(closeCodeOf(code));
  }

  onPending(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    // Once per turn of the event loop, so that what one turn produced shares a message.
    setImmediate(() => this.#flush());
  }

  onError(error: ProtocolError): void {
    this.#because(`the plane broke the protocol: ${error.message}`);
    const last = this.#session.pull();
    if (last !== null) this.#socket.send(last);
    this.#socket.close(closeCodeOf(error.code));
  }

  onFault(error: unknown): void {
    this.#options.log.error('a fault while serving a stream', { error: describeError(error) });
  }

  onReset(code: number, by: 'local' | 'peer'): void {
    this.#options.metrics.streamReset(code, by === 'local' ? 'agent' : 'plane');
  }

  // The socket

  #receive(data: Buffer, binary: boolean): void {
    this.#heardAt = performance.now();
    this.#options.metrics.received(data.byteLength);
    if (binary) {
      this.#session.receive(data);
      if (this.#session.congested) this.#reliefTimer ??= setTimeout(() => this.#relieve(), RELIEF_CHECK_MS);
      this.#closeIfDrained();
    } else if (data.toString('latin1') !== PONG) {
      this.#abandon('the plane sent text that is not pong', ProtocolCode.PROTOCOL_ERROR);
    } else if (this.#pingedAt !== null) {
      this.#session.sampleRoundTrip(this.#heardAt - this.#pingedAt);
      this.#pingedAt = null;
    }
  }

  #flush(): void {
    this.#flushing = false;
    const socket = this.#socket;
    if (socket.readyState !== socket.OPEN) return;
    if (socket.bufferedAmount >= MAX_BUFFERED_BYTES) {
      // The callback of a send before this one goes on.
      return;
    }
    const message = this.#session.pull(undefined, this.#buffers.take);
    if (message === null) {
      this.#closeIfDrained();
      return;
    }
    const { metrics } = this.#options;
    metrics.sent(message.byteLength);
    const delay = this.#session.lastDelay;
    if (delay !== null) metrics.delayed(delay);
    socket.send(message, () => {
      this.#buffers.give(message);
      if (this.#session.pending) this.onPending();
    });
    if (this.#session.pending) this.onPending();
    this.#closeIfDrained();
  }

  #ping(): void {
    if (performance.now() - this.#heardAt > SILENCE_MS) {
      this.#abandon('the plane fell silent');
      return;
    }
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    // While a pong is due the next belongs to that ping: a stall would else make the round trip look short, for ever.
    this.#pingedAt ??= performance.now();
    this.#socket.send(PING);
  }

  #relieve(): void {
    this.#reliefTimer = undefined;
    const ended = this.#session.relieve();
    if (ended > 0) {
      this.#options.log.warn('streams were ended: the API server did not read them, and others waited', {
        streams: ended,
      });
    }
    if (this.#session.congested) this.#reliefTimer = setTimeout(() => this.#relieve(), RELIEF_CHECK_MS);
  }

  #closeIfDrained(): void {
    if (!this.#lingered || this.#session.openStreams > 0 || this.#session.pending) return;
    this.#because('drained');
    this.#socket.close(NORMAL_CLOSURE);
  }

  /** Closes without waiting for the peer. */
  #abandon(reason: string, code?: ProtocolCode): void {
    this.#because(reason);
    if (code === undefined) {
      this.#socket.terminate();
      return;
    }
    this.#session.goaway(code, reason);
    const last = this.#session.pull();
    if (last !== null) this.#socket.send(last);
    this.#socket.close(closeCodeOf(code));
  }

  #because(reason: string): void {
    if (this.#reason === '') this.#reason = reason;
  }

  #closed(code: number, reason: string): void {
    clearTimeout(this.#helloTimer);
    clearTimeout(this.#lingerTimer);
    clearTimeout(this.#reliefTimer);
    clearInterval(this.#pingTimer);
    const wire = code >= CLOSE_CODE_BASE ? codeName(code - CLOSE_CODE_BASE) : String(code);
    this.#because(`the socket closed: ${wire}${reason === '' ? '' : ` ${reason}`}`);
    if (code === CLOSE_CODE_BASE + ProtocolCode.UNAUTHENTICATED) this.#refused = true;
    this.#session.close('the tunnel was lost');
    const settledMs = this.#settledAt === null ? null : performance.now() - this.#settledAt;
    this.#options.events.onClosed({ settledMs, refused: this.#refused, reason: this.#reason });
  }
}

/** The close code of a session that ended with `code`; a number that is no code of this version's may come from the wire. */
function closeCodeOf(code: number): number {
  return CLOSE_CODE_BASE + Math.min(code, MAX_CODE);
}
