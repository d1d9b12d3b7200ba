import { ProtocolCode, ProtocolError } from './codes.ts';
import { FIRST_OPTIONAL_TYPE, FRAME_HEADER_BYTES, FrameType, type Frame } from './frame.ts';
import {
  MAX_CLOSE_REASON_BYTES,
  MAX_DATA_BYTES,
  MAX_HEAD_BYTES,
  MAX_HELLO_BYTES,
  MAX_MESSAGE_BYTES,
  MAX_REASON_BYTES,
  MAX_UNKNOWN_BYTES,
} from '../limits.ts';

/** What a frame of each type may look like: bounds of its payload, and whether it belongs to the session (sequence 0) or to a stream. */
interface FrameRule {
  min: number;
  max: number;
  on: 'session' | 'stream' | 'either';
  /** No payload at all is allowed too. */
  orNone?: boolean;
}

const RULES = {
  [FrameType.HELLO]: { min: 2, max: MAX_HELLO_BYTES, on: 'session' },
  [FrameType.OPEN]: { min: 1, max: 1 + MAX_HEAD_BYTES, on: 'stream' },
  [FrameType.ACCEPT]: { min: 0, max: 0, on: 'stream' },
  [FrameType.HEAD]: { min: 3, max: MAX_HEAD_BYTES, on: 'stream' },
  [FrameType.DATA]: { min: 0, max: MAX_DATA_BYTES, on: 'stream' },
  [FrameType.END]: { min: 2, max: 2 + MAX_CLOSE_REASON_BYTES, on: 'stream', orNone: true },
  [FrameType.RESET]: { min: 2, max: 2 + MAX_REASON_BYTES, on: 'stream' },
  [FrameType.WINDOW]: { min: 4, max: 4, on: 'either' },
  [FrameType.GOAWAY]: { min: 2, max: 2 + MAX_REASON_BYTES, on: 'session' },
  [FrameType.STATE]: { min: 0, max: MAX_UNKNOWN_BYTES, on: 'session' },
} as const satisfies Record<FrameType, FrameRule>;

/** A byte order mark stays what it is: a character of the text. */
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

const OPTIONAL: FrameRule = { min: 0, max: MAX_UNKNOWN_BYTES, on: 'either' };

function ruleOf(type: number): FrameRule {
  const rule: FrameRule | undefined = (RULES as Record<number, FrameRule>)[type];
  if (rule !== undefined) return rule;
  if (type >= FIRST_OPTIONAL_TYPE) return OPTIONAL;
  throw new ProtocolError(ProtocolCode.UNKNOWN_FRAME, `unknown critical frame type 0x${type.toString(16)}`);
}

function malformed(detail: string): ProtocolError {
  return new ProtocolError(ProtocolCode.PROTOCOL_ERROR, detail);
}

/** A big-endian integer of 32 bits. */
function getUint32(from: Uint8Array, at: number): number {
  return (
    (((from[at] ?? 0) << 24) | ((from[at + 1] ?? 0) << 16) | ((from[at + 2] ?? 0) << 8) | (from[at + 3] ?? 0)) >>> 0
  );
}

/**
 * Calls `onFrame` for each frame of a message, in order. Payloads are views of `message`. Frames before a malformed one are delivered.
 * @throws ProtocolError when the message is no sequence of whole, allowed frames.
 */
export function decodeFrames(message: Uint8Array, onFrame: (frame: Frame) => void): void {
  if (message.byteLength > MAX_MESSAGE_BYTES) throw new ProtocolError(ProtocolCode.LIMIT, 'message too large');
  if (message.byteLength === 0) throw malformed('empty message');
  let at = 0;
  while (at < message.byteLength) {
    if (message.byteLength - at < FRAME_HEADER_BYTES) throw malformed('truncated frame header');
    const word = getUint32(message, at);
    const type = word >>> 24;
    const sequence = getUint32(message, at + 4);
    const length = getUint32(message, at + 8);
    const rule = ruleOf(type);
    const sized = (length >= rule.min && length <= rule.max) || (length === 0 && rule.orNone === true);
    if (!sized) throw malformed(`frame type ${type}: payload of ${length} octets`);
    if (rule.on !== 'either' && (rule.on === 'session') !== (sequence === 0)) {
      throw malformed(`frame type ${type} on sequence ${sequence}`);
    }
    const start = at + FRAME_HEADER_BYTES;
    if (message.byteLength - start < length) throw malformed('truncated payload');
    at = start + length;
    onFrame({
      type,
      flags: (word >>> 16) & 0xff,
      incarnation: word & 0xffff,
      sequence,
      payload: message.subarray(start, at),
    });
  }
}

/** The credit of a WINDOW payload. */
export function decodeCredit(payload: Uint8Array): number {
  return getUint32(payload, 0);
}

/** The code and reason of a RESET, GOAWAY or END payload; what is not UTF-8 in the reason becomes U+FFFD. */
export function decodeCode(payload: Uint8Array): { code: number; reason: string } {
  return {
    code: ((payload[0] ?? 0) << 8) | (payload[1] ?? 0),
    reason: decoder.decode(payload.subarray(2)),
  };
}
