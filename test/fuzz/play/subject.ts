import { codeName, type ProtocolError, ProtocolCode } from '#schema/protocol/codec/codes.ts';
import type { StreamKind } from '#schema/protocol/codec/frame.ts';
import { SESSION_QUEUE_LOW, STREAM_QUEUE_LOW, type SessionLimits } from '#schema/protocol/limits.ts';
import type { SessionRole } from '#schema/protocol/handler.ts';
import { Session } from '#schema/protocol/session.ts';
import type { Stream } from '#schema/protocol/flow/stream.ts';
import { HABITS, Owner } from './owner.ts';
import { Referee } from '../judge/referee.ts';
import { Fault, fault, type Heard } from '../judge/seen.ts';
import { Wire } from '../judge/wire.ts';
import { zeros } from '../make/zeros.ts';

/** What a case is made of: nothing else happens, so that a case can be played again without some of it. */
export type Op =
  | { op: 'settle' | 'drain' | 'pull' | 'idle' | 'relieve' }
  | { op: 'wait'; ms: number }
  | { op: 'receive'; message: Uint8Array<ArrayBuffer> }
  | { op: 'open'; kind: StreamKind; size: number; fin: boolean }
  | { op: 'accept' | 'reset'; sequence: number }
  | { op: 'head' | 'write' | 'end' | 'consume'; sequence: number; size: number; flags: number };

export interface SubjectOptions {
  role: SessionRole;
  local: SessionLimits;
  peer: SessionLimits;
  incarnation: number;
  lastSequence: number;
  /** Decides what owners do at once: the same streams do the same whenever a case is played. */
  salt: number;
  /** The session has a clock: its windows grow and shrink, and it finds readers that are stalled. */
  clocked: boolean;
}

/** A session under test with owners for its streams, and the referee that watches both. */
export class Subject {
  readonly referee: Referee;
  readonly owners = new Map<number, Owner>();
  readonly sent: Uint8Array<ArrayBuffer>[] = [];
  readonly session: Session;
  readonly #wire: Wire;
  readonly #salt: number;
  #error: ProtocolError | null = null;
  #errors = 0;
  /** What went wrong inside a handler, where the session would catch it. */
  #fault: Fault | null = null;
  /** Its clock, ms. */
  #now = 0;
  /** A message is being taken. */
  #taking = false;

  constructor({ salt, clocked, ...options }: SubjectOptions) {
    this.referee = new Referee(options);
    this.#wire = new Wire(this.referee);
    this.#salt = salt;
    this.session = new Session({
      role: options.role,
      local: options.local,
      incarnation: options.incarnation,
      lastSequence: options.lastSequence,
      ...(clocked ? { now: () => this.#now } : {}),
      handler: {
        onOpen: (stream, head) => this.#opened(stream, head),
        onHello: (payload) => this.hears('hello', 0, payload.byteLength),
        onGoaway: () => {
          if (this.#taking) this.hears('goaway', 0);
        },
        onPending: () => undefined,
        onError: (error) => {
          this.#errors++;
          this.#error = error;
        },
      },
    });
  }

  /** The code with which the session ended itself. */
  get end(): string {
    return this.#error === null ? 'none' : codeName(this.#error.code);
  }

  /** Does one thing, and checks everything. @throws Fault */
  play(op: Op): void {
    try {
      this.#play(op);
    } catch (error) {
      if (error instanceof Fault) throw error;
      throw new Fault(`threw ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    }
    if (this.#fault !== null) throw this.#fault;
    this.#check();
  }

  #play(op: Op): void {
    const { referee, session } = this;
    switch (op.op) {
      case 'settle':
        session.settle(referee.peer);
        referee.settle();
        return;
      case 'drain':
        if (referee.ended) return;
        session.goaway(ProtocolCode.DRAIN, 'draining');
        referee.draining = true;
        this.#wire.mayGoAway();
        return;
      case 'wait':
        this.#now += op.ms;
        return;
      case 'relieve':
        session.relieve();
        return;
      case 'pull':
        this.#pull(4096);
        return;
      case 'idle':
        while (this.#pull());
        return;
      case 'receive':
        this.#receive(op.message);
        return;
      case 'open':
        this.#open(op);
        return;
      case 'accept':
      case 'reset':
      case 'head':
      case 'write':
      case 'end':
      case 'consume':
        this.owners.get(op.sequence)?.act(op);
    }
  }

  #receive(message: Uint8Array<ArrayBuffer>): void {
    const { referee, session } = this;
    const before = this.#errors;
    referee.begin(message);
    this.#taking = true;
    session.receive(message);
    this.#taking = false;
    if (this.#fault !== null) return;
    const failed = this.#errors > before;
    referee.finish(failed && this.#error !== null ? codeName(this.#error.code) : null);
    if (!failed) return;
    this.#wire.mayGoAway();
    if (!this.#pull()) fault('does not say why it ends');
    if (this.#pull()) fault('sends more than why it ends');
  }

  /** Once the session is over: nothing is left. */
  finish(): void {
    const { session, referee } = this;
    if (!referee.ended) this.#giveBack();
    referee.begin(null);
    referee.end();
    session.close('the case is over');
    if (this.#fault !== null) throw this.#fault;
    referee.finish(null);
    if (session.openStreams > 0) fault(`${session.openStreams} streams are left`);
    if (session.pending || session.pull() !== null) fault('something is left to send');
    for (const { ends, sequence } of this.owners.values()) {
      if (ends !== 1) fault(`the owner of ${sequence} heard ${ends} ends`);
    }
  }

  /** Consumes what is held and resets what is open: the credit must be whole again then. */
  #giveBack(): void {
    const { referee } = this;
    for (const owner of this.owners.values()) {
      owner.act({ op: 'consume', size: owner.held, sequence: 0, flags: 0 });
      owner.act({ op: 'reset', sequence: 0 });
    }
    while (this.#pull());
    if (!referee.settled) return;
    const { sessionWindow } = referee.local;
    const unreported = sessionWindow - referee.creditIn;
    if (referee.held !== 0) fault(`${referee.held} octets are held by nobody`);
    if (unreported >= Math.max(1, sessionWindow / 4)) fault(`${unreported} octets of the session's window were lost`);
  }

  #open({ kind, size, fin }: Extract<Op, { op: 'open' }>): void {
    const { referee } = this;
    const owner = new Owner(this, 'hold');
    let stream: Stream;
    try {
      stream = this.session.open(kind, zeros(size), fin, owner);
    } catch (error) {
      const closed = referee.ended || !referee.settled || referee.peerDraining;
      if (closed || referee.lines.size >= Math.min(referee.peer.maxStreams, referee.local.maxStreams)) return;
      throw error;
    }
    referee.open(stream.sequence);
    this.#own(owner, stream);
    owner.ending = fin;
    if (stream.sequence >= 0x7fff_ffff) {
      this.#wire.mayGoAway();
      referee.draining = true;
      referee.peerDraining = true;
    }
  }

  #opened(stream: Stream, head: Uint8Array): void {
    this.hears('open', stream.sequence, head.byteLength);
    const owner = new Owner(this, 'hold');
    stream.handler = owner;
    this.#own(owner, stream);
    owner.reflex('open');
  }

  #own(owner: Owner, stream: Stream): void {
    const { sequence } = stream;
    owner.stream = stream;
    owner.line = this.referee.lines.get(sequence) ?? null;
    owner.habit = HABITS[(Math.imul(sequence ^ this.#salt, 0x9e37_79b1) >>> 16) % HABITS.length] ?? 'hold';
    const old = this.owners.get(sequence);
    if (old !== undefined && old.ends !== 1) fault(`${sequence} is open twice`);
    this.owners.set(sequence, owner);
  }

  /** A handler hears something. What is wrong is kept: the session would catch it. */
  hears(heard: Heard, sequence: number, bytes = 0, lost = false): void {
    this.judged(() => this.referee.hears({ heard, sequence, bytes, lost }));
  }

  judged(check: () => void): void {
    try {
      check();
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      this.#fault ??= error;
    }
  }

  #pull(maxBytes?: number): boolean {
    const message = this.session.pull(maxBytes);
    if (message === null) {
      this.#idle();
      return false;
    }
    this.#wire.sent(message);
    if (!this.referee.ended) this.sent.push(message);
    return true;
  }

  /** Nothing was left to send: whatever waits must lack credit, and whoever waits for room must have been told. */
  #idle(): void {
    const { referee } = this;
    if (referee.ended) return;
    this.#wire.idle();
    let total = 0;
    for (const { sequence } of referee.lines.values()) total += this.owners.get(sequence)?.stream?.queued ?? 0;
    for (const line of referee.lines.values()) {
      const owner = this.owners.get(line.sequence);
      const queued = owner?.stream?.queued ?? 0;
      if (queued > 0 && referee.settled && Math.min(line.creditOut, referee.creditOut) > 0) {
        fault(`${line.sequence} has ${queued} octets queued and credit, and sends nothing`);
      }
      if (owner?.waiting === true && queued <= STREAM_QUEUE_LOW && total <= SESSION_QUEUE_LOW)
        fault(`the owner of ${line.sequence} was not woken`);
    }
  }

  #check(): void {
    const { referee, session } = this;
    if (this.#errors > 1) fault('ended twice');
    if (session.openStreams !== referee.lines.size) {
      fault(`${session.openStreams} streams are open, expected ${referee.lines.size}`);
    }
    if (referee.held > referee.local.sessionWindow) fault(`${referee.held} octets held`);
    if (session.openStreams > referee.local.maxStreams) fault(`${session.openStreams} streams open`);
  }
}
