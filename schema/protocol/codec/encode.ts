import { FRAME_HEADER_BYTES } from './frame.ts';

const EMPTY = new Uint8Array(0);

/** Gives the buffer of a message: at least as long as asked, and nobody else's until its owner says so. */
export type Allocate = (bytes: number) => Uint8Array<ArrayBuffer>;

const fresh: Allocate = (bytes) => new Uint8Array(bytes);

/** A message under construction: frames are noted by reference and copied once, in {@link finish}. */
export class Batch {
  #heads: number[] = [];
  #payloads: Uint8Array[] = [];
  #size = 0;

  /** Octets of the message so far. */
  get size(): number {
    return this.#size;
  }

  /** Adds a frame. The payload must not change before {@link finish}. */
  add(type: number, flags: number, incarnation: number, sequence: number, payload: Uint8Array = EMPTY): void {
    this.#heads.push((type << 24) | (flags << 16) | incarnation, sequence);
    this.#payloads.push(payload);
    this.#size += FRAME_HEADER_BYTES + payload.byteLength;
  }

  /** The message: all frames in one buffer. */
  finish(allocate: Allocate = fresh): Uint8Array<ArrayBuffer> {
    const message = allocate(this.#size).subarray(0, this.#size);
    let at = 0;
    for (let i = 0; i < this.#payloads.length; i++) {
      const payload = this.#payloads[i] ?? EMPTY;
      at = putUint32(message, at, this.#heads[2 * i] ?? 0);
      at = putUint32(message, at, this.#heads[2 * i + 1] ?? 0);
      at = putUint32(message, at, payload.byteLength);
      message.set(payload, at);
      at += payload.byteLength;
    }
    return message;
  }
}

/** Writes a big-endian integer at `at`; returns the place behind it. */
function putUint32(into: Uint8Array, at: number, value: number): number {
  into[at] = value >>> 24;
  into[at + 1] = value >>> 16;
  into[at + 2] = value >>> 8;
  into[at + 3] = value;
  return at + 4;
}

/** Payload of WINDOW. */
export function encodeCredit(credit: number): Uint8Array {
  const payload = new Uint8Array(4);
  putUint32(payload, 0, credit);
  return payload;
}

/** Payload of RESET, GOAWAY and END: a code and a reason, cut at `maxReasonBytes` without splitting a character. */
export function encodeCode(code: number, reason: string, maxReasonBytes: number): Uint8Array {
  const room = new Uint8Array(2 + maxReasonBytes);
  room[0] = code >>> 8;
  room[1] = code;
  const { written } = new TextEncoder().encodeInto(reason, room.subarray(2));
  return room.subarray(0, 2 + written);
}
