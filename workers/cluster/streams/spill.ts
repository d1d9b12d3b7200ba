import { UPLOAD_DISK_BYTES } from '../limits.ts';
import type { SpilledRow, Storage } from '../storage.ts';
import type { Queued, SpillStore } from './upload.ts';

/** The uploads of one object: what they have in memory, what on disk, and how much of it there may be. */
export class Spill implements SpillStore {
  readonly #storage: Storage;
  readonly limit: number;
  readonly #open = new Map<number, Queued>();
  #lastKey = 0;
  spilledBytes = 0;

  constructor(storage: Storage, limit = UPLOAD_DISK_BYTES) {
    this.#storage = storage;
    this.limit = limit;
  }

  get queuedBytes(): number {
    let sum = 0;
    for (const { queued } of this.#open.values()) sum += queued;
    return sum;
  }

  open(stream: Queued): number {
    this.#lastKey += 1;
    this.#open.set(this.#lastKey, stream);
    return this.#lastKey;
  }

  close(key: number, hasRows: boolean): void {
    this.#open.delete(key);
    if (hasRows) this.#storage.deleteAllSpilled(key);
  }

  spill(key: number, flags: number, data: Uint8Array): void {
    this.#storage.spill(key, flags, data);
  }

  spilled(key: number): SpilledRow | null {
    return this.#storage.spilled(key);
  }

  deleteSpilled(id: number): void {
    this.#storage.deleteSpilled(id);
  }
}
