import { ProtocolCode, CLOSE_CODE_BASE, type ProtocolError } from '#schema/protocol/codec/codes.ts';
import { StreamKind } from '#schema/protocol/codec/frame.ts';
import { cutReason } from '#schema/protocol/codec/close.ts';
import { PLANE_LIMITS, RELIEF_CHECK_MS } from '#schema/protocol/limits.ts';
import { Session } from '#schema/protocol/session.ts';
import type { Stream, StreamHandler } from '#schema/protocol/flow/stream.ts';
import { describeError, log } from '../../log.ts';
import { ANSWER_MS } from '../limits.ts';
import type { Counters } from '../metrics/counters.ts';
import type { Settled } from './attachment.ts';
import { isSilent, type Presence } from './presence.ts';

/** What a tunnel tells its object. */
export interface TunnelEvents {
  /** HELLO before it is settled goes to the handshake. */
  onHello(tunnel: Tunnel, payload: Uint8Array): void;
  /** It takes no new streams any more. */
  onDraining(tunnel: Tunnel): void;
  /** It is over; its socket is being closed. */
  onEnded(tunnel: Tunnel, reason: string): void;
  /** Something was sent or received, and no stream is open now. */
  onIdle(): void;
  /** When the platform last answered a ping of its agent's, epoch ms; 0: never. */
  pingedAt(tunnel: Tunnel): number;
}

/** The socket as a tunnel uses it; workerd's WebSocket, or a recording one in tests. */
export interface TunnelSocket {
  send(message: Uint8Array): void;
  close(code: number, reason: string): void;
}

/** A turn later, for less than the platform's `queueMicrotask` costs. */
const RESOLVED = Promise.resolve();

const CAPABILITIES: Record<StreamKind, string> = {
  [StreamKind.HTTP]: 'http',
  [StreamKind.UPGRADE]: 'upgrade',
  [StreamKind.TCP]: 'tcp',
  [StreamKind.CALL]: 'call',
};

/** One agent's socket with its session: the adapter between the platform and the state machine. */
export class Tunnel implements Presence {
  readonly #socket: TunnelSocket;
  readonly #events: TunnelEvents;
  readonly #session: Session;
  readonly #counters: Counters;
  #settled: Settled | null = null;
  /** HELLO was answered, and the answer is being judged. */
  #answered = false;
  /** The agent takes no new streams; it may say so before HELLO is settled. */
  #drained = false;
  #flushing = false;
  #ended = false;
  /** Streams that the agent has not answered yet, in the order they were opened. */
  #unanswered: { stream: Stream; openedAt: number }[] = [];
  #watchdog: ReturnType<typeof setTimeout> | null = null;
  /** Runs while the session is congested. */
  #relief: ReturnType<typeof setTimeout> | null = null;
  /** When a message last came, epoch ms: pings do not count. */
  #receivedAt = 0;
  /** When anything was last heard, epoch ms; pings are added by the object, which alone can see them. */
  heardAt: number;

  constructor(socket: TunnelSocket, events: TunnelEvents, counters: Counters, now: number) {
    this.#socket = socket;
    this.#counters = counters;
    this.#events = events;
    this.heardAt = now;
    this.#session = new Session({
      role: 'plane',
      local: PLANE_LIMITS,
      now: Date.now,
      handler: {
        onOpen: () => undefined,
        onHello: (payload) => {
          if (this.#answered) this.end(ProtocolCode.PROTOCOL_ERROR, 'HELLO was answered already');
          else events.onHello(this, payload);
          this.#answered = true;
        },
        onGoaway: (code, reason) => this.#goneAway(code, reason),
        onPending: () => this.#schedule(),
        onError: (error) => this.#failed(error),
        onReset: (code, by) => counters.reset(code, by === 'local' ? 'plane' : 'agent'),
        onFault: (error, stream) =>
          log('error', 'a stream’s owner failed', { stream: stream.id, error: describeError(error) }),
      },
    });
  }

  /** What HELLO settled; null before. */
  get settled(): Settled | null {
    return this.#settled;
  }
  get instance(): string {
    return this.#settled?.instance ?? '';
  }
  get epoch(): number {
    return this.#settled?.epoch ?? 0;
  }
  get role(): Settled['role'] {
    return this.#settled?.role ?? 'node';
  }
  get settledAt(): number {
    return this.#settled?.settledAt ?? 0;
  }
  /** Also true before HELLO is settled and after the end: no new streams. */
  get draining(): boolean {
    return this.#ended || this.#drained || this.#settled === null;
  }
  get openStreams(): number {
    return this.#session.openStreams;
  }

  serves(kind: StreamKind): boolean {
    return this.#settled?.capabilities.includes(CAPABILITIES[kind]) === true;
  }

  /** HELLO is agreed, now or before a hibernation. */
  settle(settled: Settled, incarnation: number): void {
    this.#settled = settled;
    this.#answered = true;
    this.#drained ||= settled.draining;
    this.#session.settle(settled.limits, incarnation);
  }

  hello(message: object): void {
    this.#session.hello(new TextEncoder().encode(JSON.stringify(message)));
  }

  receive(message: ArrayBuffer, now: number): void {
    this.heardAt = now;
    this.#receivedAt = now;
    this.#counters.received(message.byteLength);
    this.#session.receive(new Uint8Array(message));
    if (!this.#ended && this.#session.congested) this.#relief ??= setTimeout(() => this.#relieve(), RELIEF_CHECK_MS);
    this.#idle();
  }

  #relieve(): void {
    this.#relief = null;
    if (this.#ended) return;
    const ended = this.#session.relieve();
    if (ended > 0) log('warn', 'streams were ended: nobody read them, and others waited', { streams: ended });
    if (this.#session.congested) this.#relief = setTimeout(() => this.#relieve(), RELIEF_CHECK_MS);
  }

  /** @throws ProtocolError as {@link Session.open}. */
  open(kind: StreamKind, head: Uint8Array, fin: boolean, handler: StreamHandler): Stream {
    const stream = this.#session.open(kind, head, fin, handler);
    this.#unanswered.push({ stream, openedAt: Date.now() });
    this.#watchdog ??= setTimeout(() => this.#judge(), ANSWER_MS);
    return stream;
  }

  /**
   * A connection that takes requests and gives nothing back is dead: ended, so that another replica serves the next. And one that falls silent while streams are open: there may
   * be no next request that asks, and a watch on it would hang for ever. The streams keep the object awake anyway; once there are none, nothing is looked for.
   */
  #judge(): void {
    this.#watchdog = null;
    this.#unanswered = this.#unanswered.filter(({ stream }) => !stream.done && !stream.accepted && !stream.headSeen);
    if (this.openStreams === 0 || this.#ended) return;
    const now = Date.now();
    this.heardAt = Math.max(this.heardAt, this.#events.pingedAt(this));
    const [oldest] = this.#unanswered;
    const due = oldest === undefined ? ANSWER_MS : Math.max(oldest.openedAt, this.#receivedAt) + ANSWER_MS - now;
    if (due <= 0) this.end(ProtocolCode.CANCELLED, 'the agent answers nothing');
    else if (isSilent(this, now)) this.end(ProtocolCode.CANCELLED, 'nothing was heard from the agent');
    else this.#watchdog = setTimeout(() => this.#judge(), due);
  }

  /** Ends the session: GOAWAY with the code, then the socket closes with 4000 + code. Idempotent. */
  end(code: ProtocolCode, reason: string): void {
    if (this.#ended) return;
    this.#session.goaway(code, reason);
    this.#flush();
    this.#close(code, reason);
  }

  /** The socket was closed by the other side, or broke. */
  lost(reason: string): void {
    if (this.#ended) return;
    this.#close(null, reason);
  }

  #goneAway(code: number, reason: string): void {
    if (code !== ProtocolCode.DRAIN) {
      this.#close(ProtocolCode.CANCELLED, reason);
      return;
    }
    this.#drained = true;
    if (this.#settled !== null) this.#settled = { ...this.#settled, draining: true };
    this.#events.onDraining(this);
  }

  #failed(error: ProtocolError): void {
    this.#flush();
    this.#close(error.code, error.message);
  }

  /** Idempotent: a send that fails on the way out has closed it already. */
  #close(code: ProtocolCode | null, reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#watchdog);
    clearTimeout(this.#relief);
    this.#session.close(reason);
    this.#events.onEnded(this, reason);
    if (code !== null) this.#socket.close(CLOSE_CODE_BASE + code, cutReason(reason));
  }

  /** One write per turn: whatever streams queue in this turn goes out together. */
  #schedule(): void {
    if (this.#flushing || this.#ended) return;
    this.#flushing = true;
    void RESOLVED.then(this.#turn);
  }

  readonly #turn = (): void => {
    this.#flushing = false;
    if (!this.#ended) this.#flush();
  };

  /** Sends all that credit allows: a Worker's WebSocket has no backpressure to wait for, so the windows alone bound what is under way. */
  #flush(): void {
    for (let message = this.#session.pull(); message !== null; message = this.#session.pull()) {
      try {
        this.#socket.send(message);
      } catch {
        this.lost('the socket is closed');
        return;
      }
      this.#counters.sent(message.byteLength);
      const delay = this.#session.lastDelay;
      if (delay !== null) this.#counters.delayed(delay);
    }
    this.#idle();
  }

  #idle(): void {
    if (this.#session.openStreams > 0 || this.#ended) return;
    // A timer keeps the object from its sleep, and there is nothing to look after.
    if (this.#watchdog !== null) {
      clearTimeout(this.#watchdog);
      this.#watchdog = null;
      this.#unanswered = [];
    }
    this.#events.onIdle();
  }
}
