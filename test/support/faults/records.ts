/** RFC 8446 §5.1: type, version (2), length (2). */
const HEADER_BYTES = 5;

/**
 * Finds the boundaries of TLS records in a stream. Whoever sends frames over TLS writes each message as one record or several, so a cut between records is
 * a cut between messages, and any other is a cut inside one.
 */
export class Records {
  #header: number[] = [];
  #left = HEADER_BYTES;
  #inHeader = true;

  /** How many octets certainly belong to the same record. */
  get certain(): number {
    return this.#left;
  }

  /** Takes octets of which none lie past {@link Records.certain}. True: with them a record is complete. */
  take(piece: Uint8Array): boolean {
    if (this.#inHeader) this.#header.push(...piece);
    this.#left -= piece.byteLength;
    if (this.#left > 0) return false;
    if (this.#inHeader) {
      const [, , , high = 0, low = 0] = this.#header;
      this.#header = [];
      this.#left = high * 256 + low;
      this.#inHeader = false;
      if (this.#left > 0) return false;
    }
    this.#left = HEADER_BYTES;
    this.#inHeader = true;
    return true;
  }
}
