import type { Storage } from '../storage.ts';
import type { SpillStore } from './upload.ts';

/** The uploads of one object on disk, and how much of it they take. */
export class Spill implements SpillStore {
  readonly #storage: Storage;
  spilledBytes = 0;

  constructor(storage: Storage) {
    this.#storage = storage;
  }
  spill(stream: number, flags: number, data: Uint8Array): void {
    this.#storage.spill(stream, flags, data);
  }
  spilled(stream: number): ReturnType<Storage['spilled']> {
    return this.#storage.spilled(stream);
  }
  deleteSpilled(id: number): void {
    this.#storage.deleteSpilled(id);
  }
  deleteAllSpilled(stream: number): void {
    this.#storage.deleteAllSpilled(stream);
  }
}
