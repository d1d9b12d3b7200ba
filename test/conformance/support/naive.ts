/**
 * The codec once more, slow and obvious, written from the README's table and not from `schema/protocol/*.ts`: whoever is wrong, the two differ.
 * It imports nothing of the real one.
 */

export interface NaiveFrame {
  type: number;
  flags: number;
  incarnation: number;
  sequence: number;
  payload: number[];
}

/** Frames of a message, or the name of the code with which it is refused. */
export type NaiveResult = { frames: NaiveFrame[] } | { refused: 'PROTOCOL_ERROR' | 'UNKNOWN_FRAME' | 'LIMIT' };

export function naiveEncode(frames: NaiveFrame[]): Uint8Array {
  const octets: number[] = [];
  for (const frame of frames) {
    const header = new DataView(new ArrayBuffer(12));
    header.setUint8(0, frame.type);
    header.setUint8(1, frame.flags);
    header.setUint16(2, frame.incarnation);
    header.setUint32(4, frame.sequence);
    header.setUint32(8, frame.payload.length);
    for (let i = 0; i < 12; i++) octets.push(header.getUint8(i));
    for (const octet of frame.payload) octets.push(octet);
  }
  return Uint8Array.from(octets);
}

export function naiveDecode(message: Uint8Array): NaiveResult {
  const { frames, refused } = naiveRead(message);
  if (refused !== null) return { refused };
  return { frames: frames.map((frame) => ({ ...frame, payload: [...frame.payload] })) };
}

/** A frame as it lies in its message. */
export type NaiveView = Omit<NaiveFrame, 'payload'> & { payload: Uint8Array };

/** The whole frames at the beginning of a message, and why there are no more. */
export function naiveRead(message: Uint8Array): {
  frames: NaiveView[];
  refused: 'PROTOCOL_ERROR' | 'UNKNOWN_FRAME' | 'LIMIT' | null;
} {
  const frames: NaiveView[] = [];
  if (message.length > 1_048_576) return { frames, refused: 'LIMIT' };
  if (message.length === 0) return { frames, refused: 'PROTOCOL_ERROR' };
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  let at = 0;
  while (at !== message.length) {
    if (at + 12 > message.length) return { frames, refused: 'PROTOCOL_ERROR' };
    const type = view.getUint8(at);
    const sequence = view.getUint32(at + 4);
    const length = view.getUint32(at + 8);
    if (type < 0x80 && !(type >= 0x01 && type <= 0x09)) return { frames, refused: 'UNKNOWN_FRAME' };
    if (!payloadAllowed(type, length)) return { frames, refused: 'PROTOCOL_ERROR' };
    if (!sequenceAllowed(type, sequence)) return { frames, refused: 'PROTOCOL_ERROR' };
    if (at + 12 + length > message.length) return { frames, refused: 'PROTOCOL_ERROR' };
    const payload = message.subarray(at + 12, at + 12 + length);
    frames.push({ type, flags: view.getUint8(at + 1), incarnation: view.getUint16(at + 2), sequence, payload });
    at += 12 + length;
  }
  return { frames, refused: null };
}

function payloadAllowed(type: number, length: number): boolean {
  if (type === 0x01) return length >= 2 && length <= 4096; // HELLO: the shortest JSON object is {}
  if (type === 0x02) return length >= 1 && length <= 1 + 131_072; // OPEN: kind, head
  if (type === 0x03) return length === 0; // ACCEPT
  if (type === 0x04) return length >= 3 && length <= 131_072; // HEAD: at least a status
  if (type === 0x05) return length <= 65_536; // DATA
  if (type === 0x06) return length === 0 || (length >= 2 && length <= 125); // END: none, or code and reason
  if (type === 0x07) return length >= 2 && length <= 202; // RESET
  if (type === 0x08) return length === 4; // WINDOW
  if (type === 0x09) return length >= 2 && length <= 202; // GOAWAY
  return length <= 65_536; // STATE, and whatever is optional
}

function sequenceAllowed(type: number, sequence: number): boolean {
  if (type === 0x01 || type === 0x09 || type === 0x81) return sequence === 0;
  if (type === 0x08 || type >= 0x80) return true;
  return sequence !== 0;
}
