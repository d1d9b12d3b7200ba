import { FRAME_HEADER_BYTES, FrameType } from '#schema/protocol/codec/frame.ts';
import { AGENT_LIMITS, PLANE_LIMITS } from '#schema/protocol/limits.ts';

/** Who sends. */
type Direction = 'up' | 'down';

/**
 * Keeps account of one connection from outside: frames that were sent either way, and the session's windows as the specification has them (README "Credit",
 * "Incarnations"). It shares no code with the session but the vocabulary.
 */
export class Ledger {
  /** What each direction may still send, octets. */
  readonly open: Record<Direction, number> = { up: PLANE_LIMITS.sessionWindow, down: AGENT_LIMITS.sessionWindow };
  readonly problems: string[] = [];
  /** Codes of RESET and GOAWAY. */
  readonly codes: { code: number; text: string }[] = [];
  /** DATA octets sent, of the current incarnation. */
  readonly data: Record<Direction, number> = { up: 0, down: 0 };
  frames = 0;
  #incarnation: number | null = null;

  sent(direction: Direction, message: Uint8Array): void {
    const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
    for (let at = 0; at < message.byteLength;) {
      const length = view.getUint32(at + 8);
      this.#frame(direction, view, at, length);
      at += FRAME_HEADER_BYTES + length;
    }
  }

  #frame(direction: Direction, view: DataView, at: number, length: number): void {
    this.frames++;
    const type = view.getUint8(at);
    const incarnation = view.getUint16(at + 2);
    if (type === FrameType.RESET || type === FrameType.GOAWAY) {
      const start = view.byteOffset + at + FRAME_HEADER_BYTES;
      const reason = new TextDecoder().decode(new Uint8Array(view.buffer, start + 2, length - 2));
      const code = view.getUint16(at + FRAME_HEADER_BYTES);
      this.codes.push({
        code,
        text: `${type === FrameType.RESET ? 'RESET' : 'GOAWAY'} ${direction}: ${code} ${reason}`,
      });
    }
    if (type === FrameType.OPEN && incarnation !== this.#incarnation) {
      this.#incarnation = incarnation;
      this.open.up = PLANE_LIMITS.sessionWindow;
      this.open.down = AGENT_LIMITS.sessionWindow;
      this.data.up = 0;
      this.data.down = 0;
    }
    if (incarnation !== this.#incarnation) return;
    if (type === FrameType.DATA) {
      this.open[direction] -= length;
      this.data[direction] += length;
      if (this.open[direction] < 0) this.problems.push(`${direction}: DATA past the session's window`);
    }
    if (type === FrameType.WINDOW && view.getUint32(at + 4) === 0) {
      this.open[direction === 'up' ? 'down' : 'up'] += view.getUint32(at + FRAME_HEADER_BYTES);
    }
  }
}
