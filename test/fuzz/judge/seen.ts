import { FrameType } from '#schema/protocol/codec/frame.ts';

/** What a handler may hear. */
export type Heard = 'hello' | 'goaway' | 'open' | 'accept' | 'head' | 'data' | 'end' | 'reset';

/** Something that the specification does not allow was seen. */
export class Fault extends Error {}

export function fault(what: string): never {
  throw new Fault(what);
}

/** Credit may not pass this (README "Credit"). */
const MOST_CREDIT = 0x7fff_ffff;

/** One stream as the specification sees it. `in`: what came from the peer; `out`: what was put on the wire. */
export interface Line {
  readonly sequence: number;
  /** Which incarnation it is of, counted: their numbers come again. */
  readonly life: number;
  /** The peer knows it. */
  opened: boolean;
  accepted: boolean;
  head: boolean;
  finIn: boolean;
  finOut: boolean;
  /** What we may send, and what the peer may. */
  creditOut: number;
  creditIn: number;
  /** Received and not consumed. */
  held: number;
}

/** What a handler hears at a time, as the referee is told. `lost`: a reset because the session has ended. */
export interface Event {
  heard: Heard;
  sequence: number;
  bytes: number;
  lost?: boolean;
}

/** Whether a frame is of a body. */
export function isBody(type: number): boolean {
  return type === FrameType.DATA || type === FrameType.END;
}

/** Credit after a WINDOW; adds the codes of what is wrong with it. */
export function granted(before: number, payload: Uint8Array, codes: string[]): number {
  const credit = new DataView(payload.buffer, payload.byteOffset).getUint32(0);
  if (credit === 0) codes.push('PROTOCOL_ERROR');
  if (before + credit > MOST_CREDIT) codes.push('FLOW_CONTROL');
  return before + credit;
}

/** An event for people. */
export function describe({ heard, sequence, bytes, lost }: Event): string {
  return `${heard} of ${sequence}${bytes > 0 ? ` with ${bytes} octets` : ''}${lost === true ? ', the session being over' : ''}`;
}
