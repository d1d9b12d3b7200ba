import { Flag, FrameType, isStreamKind } from '#schema/protocol/codec/frame.ts';
import { GROWTH_PART, MAX_CONTROL_FRAMES, MAX_MESSAGE_BYTES, MAX_STREAM_WINDOW } from '#schema/protocol/limits.ts';
import { naiveRead, type NaiveView } from '../../conformance/support/naive.ts';
import type { Referee } from './referee.ts';
import { fault, type Line } from './seen.ts';

/** Control frames that acts of owners may add to what a peer may cause; an act adds three at most. */
const OWN_CONTROL_FRAMES = 1024;

/** Judges what one end sends by the specification, and tells the referee what the peer knows by then. */
export class Wire {
  readonly #referee: Referee;
  /** GOAWAYs that this end may send: it was asked to, or has ended its session. */
  #goaways = 0;
  /** Control frames since the last time that nothing waited. */
  #control = 0;

  /** What the end's own side does is not known, only what it sends of it. */
  readonly #overheard: boolean;

  constructor(referee: Referee, overheard = false) {
    this.#referee = referee;
    this.#overheard = overheard;
  }

  mayGoAway(): void {
    this.#goaways++;
  }

  /** A message of the end's. */
  sent(message: Uint8Array): void {
    if (message.byteLength > MAX_MESSAGE_BYTES) fault(`sent a message of ${message.byteLength} octets`);
    const { frames, refused } = naiveRead(message);
    if (refused !== null) fault(`sent a message that is ${refused}`);
    for (const frame of frames) this.#frame(frame);
    if (this.#control > MAX_CONTROL_FRAMES + OWN_CONTROL_FRAMES) fault(`${this.#control} control frames had waited`);
  }

  /** Nothing waits any more, but for what lacks credit. */
  idle(): void {
    const referee = this.#referee;
    referee.owed = 0;
    this.#control = 0;
    for (const sequence of referee.resets) fault(`no RESET was sent for ${sequence}`);
  }

  #frame(frame: NaiveView): void {
    const referee = this.#referee;
    const { type, sequence, incarnation } = frame;
    if (type === FrameType.HELLO) return;
    if (type === FrameType.GOAWAY) {
      if (this.#goaways-- <= 0 && !this.#overheard) fault('sent a GOAWAY that nothing asked for');
      return;
    }
    if (referee.ended) fault(`sent a frame of type ${type} after the end`);
    if (incarnation !== referee.incarnation) fault(`sent a frame of incarnation ${incarnation}`);
    if (type === FrameType.WINDOW) this.#window(frame);
    else if (type === FrameType.RESET) {
      this.#control++;
      if (this.#overheard) referee.reset(sequence);
      if (!referee.resets.delete(sequence) && !this.#overheard) fault(`sent RESET of ${sequence}, which was not reset`);
    } else {
      if (this.#overheard && type === FrameType.OPEN) referee.open(sequence);
      const line = referee.lines.get(sequence);
      if (line === undefined) fault(`sent a frame of type ${type} on ${sequence}, which is done`);
      this.#stream(line, frame);
    }
  }

  #window({ sequence, payload }: NaiveView): void {
    const referee = this.#referee;
    this.#control++;
    const credit = new DataView(payload.buffer, payload.byteOffset).getUint32(0);
    if (credit === 0) fault('sent WINDOW of nothing');
    if (sequence === 0) {
      referee.creditIn += credit;
      const promised = referee.creditIn + (this.#overheard ? 0 : referee.held);
      if (promised > referee.local.sessionWindow) fault(`promised ${promised} octets of the session's window`);
      return;
    }
    if (sequence > Math.max(referee.lastOnWire, referee.lastGiven)) fault(`sent WINDOW of ${sequence}, never opened`);
    const line = referee.lines.get(sequence);
    if (line === undefined) return;
    line.creditIn += credit;
    const promised = line.creditIn + (this.#overheard ? 0 : line.held);
    if (promised > most(referee)) fault(`promised ${promised} octets of the window of ${sequence}`);
    if (this.#overheard) return;
    let growth = 0;
    for (const { creditIn, held } of referee.lines.values()) {
      growth += Math.max(0, creditIn + held - referee.local.streamWindow);
    }
    if (growth > referee.local.sessionWindow * GROWTH_PART) fault(`windows have grown by ${growth} octets`);
  }

  #stream(line: Line, { type, sequence, flags, payload }: NaiveView): void {
    const referee = this.#referee;
    const plane = referee.role === 'plane';
    if (line.finOut) fault(`sent a frame of type ${type} on ${sequence} after FIN`);
    switch (type) {
      case FrameType.OPEN:
        if (!plane || line.opened || sequence <= referee.lastOnWire || sequence % 2 === 0)
          fault(`sent OPEN ${sequence}`);
        if (!isStreamKind(payload[0])) fault('sent OPEN of no kind');
        line.opened = true;
        referee.lastOnWire = sequence;
        break;
      case FrameType.ACCEPT:
        if (plane || line.accepted || line.head) fault(`sent ACCEPT of ${sequence} out of turn`);
        line.accepted = true;
        break;
      case FrameType.HEAD:
        if (plane || line.head) fault(`sent HEAD of ${sequence} out of turn`);
        line.head = true;
        break;
      case FrameType.DATA:
        line.creditOut -= payload.length;
        referee.creditOut -= payload.length;
        if (payload.length > 0 && (line.creditOut < 0 || referee.creditOut < 0))
          fault(`sent DATA of ${sequence} past its credit`);
        break;
      case FrameType.END:
        break;
      default:
        fault(`sent a frame of type ${type}`);
    }
    if (!line.opened) fault(`sent a frame of type ${type} on ${sequence} before its OPEN`);
    if (!plane && !line.head && (type === FrameType.DATA || type === FrameType.END))
      fault(`sent a body of ${sequence} before its HEAD`);
    if ((flags & Flag.FIN) !== 0 || type === FrameType.END) referee.finished(line);
  }
}

/** What a stream's window may grow to. */
function most({ local }: Referee): number {
  return Math.max(local.streamWindow, MAX_STREAM_WINDOW);
}
