import { Flag } from '#schema/protocol/codec/frame.ts';
import type { Stream } from '#schema/protocol/flow/stream.ts';
import { SPILL_ROW_BYTES, SPILL_ROW_OVERHEAD, UPLOAD_MEMORY_BYTES, UPLOADS_MEMORY_BYTES } from '../limits.ts';
import type { SpilledRow } from '../storage.ts';

/** Something with a queue in memory. */
export interface Queued {
  readonly queued: number;
}

/** What all uploads of an object share. */
export interface SpillStore {
  /** Registers an upload; its key is its own for the object's life. (Sequences of streams are not: each tunnel counts anew.) */
  open(stream: Queued): number;
  /** The upload is over; its rows go. */
  close(key: number, hasRows: boolean): void;
  spill(key: number, flags: number, data: Uint8Array): void;
  /** The oldest piece of an upload. */
  spilled(key: number): SpilledRow | null;
  deleteSpilled(id: number): void;
  /** Octets that all uploads have in memory now. */
  readonly queuedBytes: number;
  /** Octets that all uploads have on disk now, rows counted with {@link SPILL_ROW_OVERHEAD}; kept by the uploads. */
  spilledBytes: number;
  /** What they may have there. */
  readonly limit: number;
}

/** The part of a stream that an upload writes to. */
export type UploadStream = Pick<Stream, 'write' | 'end' | 'queued'>;

/**
 * What a client's WebSocket sends faster than the tunnel takes it. Workers cannot slow a WebSocket (workerd#988), so up to
 * {@link UPLOAD_MEMORY_BYTES} wait in the stream's queue, and the rest on disk, in order; past the store's limit the stream must end.
 */
export class Upload {
  readonly #stream: UploadStream;
  readonly #store: SpillStore;
  readonly #key: number;
  #onDisk = 0;
  #end: Uint8Array | null = null;
  /** The stream has said that it is full, and will say when it is not. */
  #full = false;

  constructor(stream: UploadStream, store: SpillStore) {
    this.#stream = stream;
    this.#store = store;
    this.#key = store.open(stream);
  }

  /** Takes a message. False: there is no room left, and nothing of it was taken. */
  write(data: Uint8Array, flags: number): boolean {
    if (this.#onDisk === 0 && this.#fitsInMemory(data.byteLength)) {
      this.#send(data, flags);
      return true;
    }
    const rows = Math.max(1, Math.ceil(data.byteLength / SPILL_ROW_BYTES));
    if (this.#store.spilledBytes + data.byteLength + rows * SPILL_ROW_OVERHEAD > this.#store.limit) return false;
    for (let row = 0; row < rows; row++) {
      const part = data.subarray(row * SPILL_ROW_BYTES, (row + 1) * SPILL_ROW_BYTES);
      this.#store.spill(this.#key, row === rows - 1 ? flags : flags & ~Flag.MESSAGE_END, part);
      this.#count(part.byteLength + SPILL_ROW_OVERHEAD);
    }
    if (!this.#full) this.drain();
    return true;
  }

  /** Ends the stream's half once everything before it was sent. */
  end(payload: Uint8Array): void {
    if (this.#onDisk === 0) this.#stream.end(payload);
    else this.#end = payload;
  }

  /** The tunnel has room again: what is on disk goes next. */
  drain(): void {
    this.#full = false;
    while (this.#onDisk > 0) {
      const row = this.#store.spilled(this.#key);
      if (row === null) break;
      this.#store.deleteSpilled(row.id);
      this.#count(-row.data.byteLength - SPILL_ROW_OVERHEAD);
      this.#send(row.data, row.flags);
      if (this.#full) break;
    }
    if (this.#end === null || this.#onDisk > 0) return;
    this.#stream.end(this.#end);
    this.#end = null;
  }

  /** The stream is gone: so is what it had on disk. */
  discard(): void {
    this.#store.close(this.#key, this.#onDisk > 0);
    this.#count(-this.#onDisk);
    this.#end = null;
  }

  #fitsInMemory(bytes: number): boolean {
    return (
      this.#stream.queued + bytes <= UPLOAD_MEMORY_BYTES && this.#store.queuedBytes + bytes <= UPLOADS_MEMORY_BYTES
    );
  }

  #send(data: Uint8Array, flags: number): void {
    if (!this.#stream.write(data, flags)) this.#full = true;
  }

  #count(bytes: number): void {
    this.#onDisk += bytes;
    this.#store.spilledBytes += bytes;
  }
}
