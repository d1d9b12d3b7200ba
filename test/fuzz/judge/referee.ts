import { Flag, FrameType, isStreamKind } from '#schema/protocol/codec/frame.ts';
import type { SessionLimits } from '#schema/protocol/limits.ts';
import { MAX_CONTROL_FRAMES } from '#schema/protocol/limits.ts';
import { ProtocolCode } from '#schema/protocol/codec/codes.ts';
import type { SessionRole } from '#schema/protocol/handler.ts';
import { describe, type Event, fault, granted, type Heard, isBody, type Line } from './seen.ts';
import { naiveRead, type NaiveView } from '../../conformance/support/naive.ts';

/** How many control frames one frame or one act of an owner can cause: WINDOW of the stream, of the session, RESET. */
const CAUSED = 3;

/**
 * The session once more, slow and obvious, written from the README and not from `session.ts`. It follows one end: judges each message that comes, and says what
 * handlers must hear of it, one event at a time, so that what they do at once is known before the next frame is judged. {@link Wire} judges what the end sends.
 */
export class Referee {
  readonly role: SessionRole;
  readonly local: SessionLimits;
  readonly peer: SessionLimits;
  readonly lines = new Map<number, Line>();
  incarnation: number;
  settled = false;
  ended = false;
  draining = false;
  peerDraining = false;
  /** The highest sequence that was on the wire, and that this end has given to a stream. */
  lastOnWire: number;
  lastGiven: number;
  creditOut = 0;
  creditIn = 0;
  /** Octets that streams of this incarnation hold, those that are over among them. */
  held = 0;
  /** Control frames that wait, at most; 0 once all was sent. */
  owed = 0;
  /** RESETs that must be sent: refusals, and what owners reset. */
  readonly resets = new Set<number>();
  /** Incarnations so far. */
  #life = 0;
  #frames: NaiveView[] = [];
  #at = 0;
  #refused: string | null = null;
  #expected: Event[] = [];
  /** Streams at a DATA that may have been past its credit, where the session ended then or not much later. */
  #maybe: Map<number, Line> | null = null;
  /** The stream whose end is being heard. */
  #ending: Line | null = null;
  /** The codes of the breach that was found in the message, if one was. */
  #breach: string[] = [];
  /** The end has ended for the one reason that cannot be seen in what came: a peer that causes control frames and reads none. */
  #limited = false;

  constructor(options: {
    role: SessionRole;
    local: SessionLimits;
    peer: SessionLimits;
    incarnation: number;
    lastSequence: number;
  }) {
    this.role = options.role;
    this.local = options.local;
    this.peer = options.peer;
    this.incarnation = options.incarnation;
    this.lastOnWire = options.lastSequence;
    this.lastGiven = options.lastSequence;
  }

  settle(): void {
    if (this.settled || this.ended) return;
    this.settled = true;
    this.creditOut = this.peer.sessionWindow;
    this.creditIn = this.local.sessionWindow;
  }

  // What the end's own side does.

  open(sequence: number): void {
    this.lastGiven = sequence;
    this.#add(sequence, false);
  }

  /** An owner has reset its stream, or threw. */
  reset(sequence: number): void {
    const line = this.lines.get(sequence);
    if (line === undefined) return;
    if (line.opened && !this.ended) this.resets.add(sequence);
    this.#drop(line);
    this.#expected = this.#expected.filter((one) => one.sequence !== sequence);
  }

  consumed(line: Line, bytes: number): void {
    if (line.life !== this.#life || this.ended) return;
    line.held -= bytes;
    this.held -= bytes;
    this.owed += CAUSED;
  }

  /** The last frame of this end's half was sent. */
  finished(line: Line): void {
    line.finOut = true;
    if (line.finIn) this.lines.delete(line.sequence);
  }

  // What comes.

  /** A message is about to be given to the end; null: something else happens to it. */
  begin(message: Uint8Array | null): void {
    const { frames, refused } = this.ended || message === null ? { frames: [], refused: null } : naiveRead(message);
    this.#frames = frames;
    this.#refused = refused;
    this.#at = 0;
    this.#breach = [];
    this.#expected = [];
    this.#limited = false;
    this.#maybe = null;
  }

  /** A message whose events nobody reports: only what follows for the state. */
  overhear(message: Uint8Array): void {
    this.begin(message);
    while (this.#advance({ code: null }));
    this.#expected = [];
  }

  /** A handler hears something: it must be the next thing that the message says. */
  hears(event: Event): void {
    while (this.#expected.length === 0 && this.#advance(event));
    if (event.lost === true && this.#expected[0]?.lost !== true && this.owed > MAX_CONTROL_FRAMES) this.#limited = true;
    if (this.#limited) return;
    const next = this.#expected.shift();
    if (next?.heard === event.heard && next.sequence === event.sequence && next.bytes === event.bytes) return;
    fault(`heard ${describe(event)}, expected ${next === undefined ? 'nothing' : describe(next)}`);
  }

  /** The end has taken the message. `code`: the name of the code with which it ended its session, null when it did not. */
  finish(code: string | null): void {
    while (!this.#limited && this.#expected.length === 0 && this.#advance({ code }));
    if (code === 'LIMIT' && this.owed > MAX_CONTROL_FRAMES) this.#limited = true;
    if (this.#limited) {
      if (code !== 'LIMIT') fault(`ended with ${code} instead of LIMIT`);
      this.end();
      this.#expected = [];
      return;
    }
    const [unheard] = this.#expected;
    if (unheard !== undefined) fault(`${describe(unheard)} was not heard`);
    const fits = code === null ? this.#breach.length === 0 : this.#breach.includes(code);
    if (!fits) fault(`ended with ${code ?? 'nothing'}, expected ${this.#breach.join(' or ') || 'nothing'}`);
  }

  /** The end is over: of each live stream the handler hears that it is lost. */
  end(): void {
    this.#settleEnd();
    if (this.ended) return;
    this.ended = true;
    for (const { sequence } of this.lines.values()) this.#expect('reset', sequence, 0, true);
    this.lines.clear();
    this.held = 0;
    this.resets.clear();
  }

  /** Judges the next frame; false: there is none. `hint`: what happened next, where the specification leaves two ways. */
  #advance(hint: Event | { code: string | null }): boolean {
    this.#settleEnd();
    if (this.ended) return false;
    const frame = this.#frames[this.#at++];
    const codes: string[] = [];
    const maybe = this.#maybe;
    if (frame !== undefined) {
      this.owed += CAUSED;
      this.#judge(frame, codes, hint);
    } else if (this.#refused !== null) codes.push(this.#refused);
    else if (maybe === null) return false;
    // It ended before anything more was heard: for what is wrong with this frame, or for what may have been wrong before.
    if (maybe !== null && (this.#expected.length > 0 || frame === undefined)) {
      this.#expected = [];
      this.lines.clear();
      for (const [sequence, line] of maybe) this.lines.set(sequence, line);
    } else if (codes.length === 0) return true;
    if (this.#maybe !== null) codes.push('FLOW_CONTROL');
    this.#breach = codes;
    this.end();
    return true;
  }

  /** Adds the codes of all breaches that apply. */
  #judge(frame: NaiveView, codes: string[], hint: Event | { code: string | null }): void {
    const { type, sequence, payload } = frame;
    if (type >= 0x80) return;
    if (type === FrameType.HELLO) {
      if (this.settled) codes.push('PROTOCOL_ERROR');
      else {
        if (this.role === 'agent') this.incarnation = frame.incarnation;
        this.#expect('hello', 0, payload.length);
      }
    } else if (type === FrameType.GOAWAY) {
      this.peerDraining = true;
      this.#expect('goaway', 0);
      if (payload[0] !== 0 || payload[1] !== ProtocolCode.DRAIN) this.end();
    } else if (!this.settled) codes.push('PROTOCOL_ERROR');
    else if (type === FrameType.OPEN) this.#judgeOpen(frame, codes);
    else if (frame.incarnation !== this.incarnation) return;
    else if (sequence === 0) this.creditOut = granted(this.creditOut, payload, codes);
    else {
      const line = this.lines.get(sequence);
      const last = this.role === 'plane' ? this.lastGiven : this.lastOnWire;
      // An end need not remember which sequences were given and never sent: theirs are taken for streams that are done.
      if (sequence % 2 === 0 || sequence > last || line?.opened === false) codes.push('PROTOCOL_ERROR');
      if (type === FrameType.DATA) this.#judgeData(line, payload.length, codes, hint);
      if (line !== undefined && codes.length === 0) this.#judgeStream(line, frame, codes);
      else if (line !== undefined && line.opened && isBody(type)) this.#judgeBody(line, codes);
    }
  }

  #judgeOpen({ incarnation, sequence, payload, flags }: NaiveView, codes: string[]): void {
    if (this.role === 'plane') {
      codes.push('PROTOCOL_ERROR');
      return;
    }
    if (incarnation !== this.incarnation) this.#startIncarnation(incarnation);
    if (sequence % 2 === 0 || sequence <= this.lastOnWire) {
      codes.push('PROTOCOL_ERROR');
      return;
    }
    this.lastOnWire = sequence;
    if (!isStreamKind(payload[0]) || this.draining || this.lines.size >= this.local.maxStreams) {
      this.resets.add(sequence);
      return;
    }
    const line = this.#add(sequence, true);
    this.#expect('open', sequence, payload.length - 1);
    if ((flags & Flag.FIN) !== 0) this.#ended(line);
  }

  /** DATA counts, for whatever stream it comes. Credit that is queued and was not sent may count already. */
  #judgeData(line: Line | undefined, bytes: number, codes: string[], hint: Event | { code: string | null }): void {
    this.creditIn -= bytes;
    if (line === undefined) this.owed += CAUSED;
    else {
      line.creditIn -= bytes;
      line.held += bytes;
      this.held += bytes;
    }
    if (this.creditIn >= 0 && (line === undefined || line.creditIn >= 0)) return;
    // The frame itself has counted once already.
    const sure = this.owed <= (line === undefined ? 2 * CAUSED : CAUSED);
    const lost = 'heard' in hint && hint.lost === true;
    if (sure || ('code' in hint && hint.code === 'FLOW_CONTROL') || (lost && line !== undefined))
      codes.push('FLOW_CONTROL');
    else if (lost) this.#maybe ??= new Map(this.lines);
  }

  #judgeBody(line: Line, codes: string[]): void {
    if ((this.role === 'plane' && !line.head) || line.finIn) codes.push('PROTOCOL_ERROR');
  }

  #judgeStream(line: Line, { type, sequence, flags, payload }: NaiveView, codes: string[]): void {
    const answer = type === FrameType.ACCEPT || type === FrameType.HEAD;
    if (answer && (this.role === 'agent' || line.head || (type === FrameType.ACCEPT && line.accepted))) {
      codes.push('PROTOCOL_ERROR');
      return;
    }
    if (isBody(type)) this.#judgeBody(line, codes);
    if (codes.length > 0) return;
    if (type === FrameType.ACCEPT) {
      line.accepted = true;
      this.#expect('accept', sequence);
    } else if (type === FrameType.HEAD) {
      line.head = true;
      this.#expect('head', sequence, payload.length);
    } else if (type === FrameType.DATA) this.#expect('data', sequence, payload.length);
    else if (type === FrameType.RESET) {
      this.#drop(line);
      this.#expect('reset', sequence);
    } else if (type === FrameType.WINDOW) line.creditOut = granted(line.creditOut, payload, codes);
    const fin = (type === FrameType.HEAD || type === FrameType.DATA) && (flags & Flag.FIN) !== 0;
    if (fin || type === FrameType.END) this.#ended(line);
  }

  #ended(line: Line): void {
    line.finIn = true;
    this.#expect('end', line.sequence);
    // Its owner may still reset it while it hears of the end.
    this.#ending = line;
  }

  #settleEnd(): void {
    const line = this.#ending;
    this.#ending = null;
    if (line?.finOut === true && this.lines.get(line.sequence) === line) this.lines.delete(line.sequence);
  }

  #startIncarnation(incarnation: number): void {
    for (const { sequence } of this.lines.values()) this.#expect('reset', sequence);
    this.lines.clear();
    this.resets.clear();
    this.#life++;
    this.incarnation = incarnation;
    this.lastOnWire = 0;
    this.held = 0;
    this.creditOut = this.peer.sessionWindow;
    this.creditIn = this.local.sessionWindow;
  }

  #add(sequence: number, opened: boolean): Line {
    const line: Line = {
      sequence,
      life: this.#life,
      opened,
      accepted: false,
      head: false,
      finIn: false,
      finOut: false,
      creditOut: this.peer.streamWindow,
      creditIn: this.local.streamWindow,
      held: 0,
    };
    this.lines.set(sequence, line);
    return line;
  }

  #drop(line: Line): void {
    this.lines.delete(line.sequence);
    this.held -= line.held;
    line.held = 0;
    this.owed += CAUSED;
  }

  #expect(heard: Heard, sequence: number, bytes = 0, lost = false): void {
    this.#expected.push({ heard, sequence, bytes, lost });
  }
}
