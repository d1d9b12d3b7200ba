/** The vocabulary of the tunnel protocol; `README.md` beside this file is the specification. */

/** Octets of a frame before its payload. */
export const FRAME_HEADER_BYTES = 12;

/** Frame types. Those from {@link FIRST_OPTIONAL_TYPE} up are skipped by a receiver that does not know them. */
export const FrameType = {
  HELLO: 0x01,
  OPEN: 0x02,
  ACCEPT: 0x03,
  HEAD: 0x04,
  DATA: 0x05,
  END: 0x06,
  RESET: 0x07,
  WINDOW: 0x08,
  GOAWAY: 0x09,
  STATE: 0x81,
} as const;
export type FrameType = (typeof FrameType)[keyof typeof FrameType];

export const FIRST_OPTIONAL_TYPE = 0x80;

export const Flag = {
  /** The sender's half of the stream ends with this frame. */
  FIN: 0x01,
  /** The last frame of a WebSocket message (`upgrade` streams). */
  MESSAGE_END: 0x02,
  /** The message is text (`upgrade` streams). */
  TEXT: 0x04,
} as const;

export const StreamKind = { HTTP: 1, UPGRADE: 2, TCP: 3, CALL: 4 } as const;
export type StreamKind = (typeof StreamKind)[keyof typeof StreamKind];

const KINDS = new Set<unknown>(Object.values(StreamKind));

export function isStreamKind(value: unknown): value is StreamKind {
  return KINDS.has(value);
}

/** One frame. `payload` is a view of the message it came in: copy it to keep it past the handler. */
export interface Frame {
  type: number;
  flags: number;
  /** 16 bits; which life of the plane's object the frame belongs to. */
  incarnation: number;
  /** 32 bits; 0 is the session itself. */
  sequence: number;
  payload: Uint8Array;
}
