/** A piece below this is copied behind the one before it: a view, its object and its promise cost hundreds of octets each. */
const SMALL_BYTES = 1024;
/** What small pieces are gathered in. */
const ROOM_BYTES = 16 * 1024;

/** Octets that wait for their reader. However small the pieces are that they come in, what they take stays in proportion to their number. */
export class ByteQueue {
  #pieces: Uint8Array[] = [];
  /** Behind the last piece, if that is a room of ours. */
  #room: Uint8Array | null = null;
  #used = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(data: Uint8Array): void {
    const { byteLength } = data;
    if (byteLength === 0) return;
    this.#size += byteLength;
    if (this.#pieces.length === 0 || byteLength >= SMALL_BYTES) {
      this.#pieces.push(data);
      this.#room = null;
      return;
    }
    if (this.#room === null || this.#used + byteLength > ROOM_BYTES) {
      this.#room = new Uint8Array(ROOM_BYTES);
      this.#used = 0;
      this.#pieces.push(this.#room);
    }
    this.#room.set(data, this.#used);
    this.#used += byteLength;
    this.#pieces[this.#pieces.length - 1] = this.#room.subarray(0, this.#used);
  }

  /** All that waits, as one piece; a single one is not copied. */
  take(): Uint8Array {
    const [first] = this.#pieces;
    const whole = this.#pieces.length === 1 && first !== undefined ? first : this.#joined();
    this.#pieces = [];
    this.#room = null;
    this.#size = 0;
    return whole;
  }

  #joined(): Uint8Array {
    const whole = new Uint8Array(this.#size);
    let at = 0;
    for (const piece of this.#pieces) {
      whole.set(piece, at);
      at += piece.byteLength;
    }
    return whole;
  }
}
