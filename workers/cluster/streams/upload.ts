import { Flag } from '#schema/protocol/frame.ts';
import type { Stream } from '#schema/protocol/stream.ts';
import { SPILL_ROW_BYTES, UPLOAD_DISK_BYTES, UPLOAD_MEMORY_BYTES } from '../limits.ts';
import type { SpilledRow } from '../storage.ts';

/** The disk part of an upload, of all streams of an object. */
export interface SpillStore {
  spill(stream: number, flags: number, data: Uint8Array): void;
  /** The oldest piece of a stream. */
  spilled(stream: number): SpilledRow | null;
  deleteSpilled(id: number): void;
  deleteAllSpilled(stream: number): void;
  /** Octets that all streams have on disk now. */
  spilledBytes: number;
}

/**
 * What a client's WebSocket sends faster than the tunnel takes it. Workers cannot slow a WebSocket (workerd#988), so up to
 * {@link UPLOAD_MEMORY_BYTES} wait in the stream's queue, and the rest on disk, in order; past {@link UPLOAD_DISK_BYTES} the stream must end.
 */
export class Upload {
  readonly #stream: Stream;
  readonly #store: SpillStore;
  #onDisk = 0;
  #end: Uint8Array | null = null;

  constructor(stream: Stream, store: SpillStore) {
    this.#stream = stream;
    this.#store = store;
  }

  /** Takes a message, or a part of one. False: there is no room left, and nothing of it was taken. */
  write(data: Uint8Array, flags: number): boolean {
    if (this.#onDisk === 0 && this.#stream.queued < UPLOAD_MEMORY_BYTES) {
      this.#stream.write(data, flags);
      return true;
    }
    if (this.#store.spilledBytes + data.byteLength > UPLOAD_DISK_BYTES) return false;
    for (let at = 0; at === 0 || at < data.byteLength; at += SPILL_ROW_BYTES) {
      const part = data.subarray(at, at + SPILL_ROW_BYTES);
      const last = at + SPILL_ROW_BYTES >= data.byteLength;
      this.#store.spill(this.#stream.sequence, last ? flags : flags & ~Flag.MESSAGE_END, part);
      this.#count(part.byteLength);
    }
    return true;
  }

  /** Ends the stream's half once everything before it was sent. */
  end(payload: Uint8Array): void {
    if (this.#onDisk === 0) this.#stream.end(payload);
    else this.#end = payload;
  }

  /** The tunnel has room again: what is on disk goes next. */
  drain(): void {
    while (this.#onDisk > 0) {
      const row = this.#store.spilled(this.#stream.sequence);
      if (row === null) break;
      this.#store.deleteSpilled(row.id);
      this.#count(-row.data.byteLength);
      if (!this.#stream.write(row.data, row.flags)) return;
    }
    if (this.#end !== null) this.#stream.end(this.#end);
    this.#end = null;
  }

  /** The stream is gone: so is what it had on disk. */
  discard(): void {
    if (this.#onDisk > 0) this.#store.deleteAllSpilled(this.#stream.sequence);
    this.#count(-this.#onDisk);
    this.#end = null;
  }

  /** Empty pieces count as one octet, so that `#onDisk` is zero only when nothing is there. */
  #count(bytes: number): void {
    this.#onDisk += bytes;
    this.#store.spilledBytes += bytes;
  }
}
