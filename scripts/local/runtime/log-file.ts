import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs';
import { SECRET_MODE } from '../state/data-dir.ts';

/** Two files of this size are kept, so a chatty client cannot fill the disk with what it makes the plane log. */
const ROTATE_BYTES = 16 * 1024 * 1024;

/** A log file, one JSON object a line; the full one is kept as `<path>.1`. It stays open: opening it for each line took more than half of the time that a line takes. */
export class LogFile {
  readonly path: string;
  #open: { descriptor: number; bytes: number } | null = null;

  constructor(path: string) {
    this.path = path;
  }

  /** Appends a line. A disk that is full loses it: logging must not stop the plane. */
  append(line: string): void {
    try {
      const file = (this.#open ??= this.#reopen());
      file.bytes += writeSync(file.descriptor, `${line}\n`);
      if (file.bytes <= ROTATE_BYTES) return;
      this.#open = null;
      closeSync(file.descriptor);
      renameSync(this.path, `${this.path}.1`);
    } catch {
      // Nowhere to say so.
    }
  }

  #reopen(): { descriptor: number; bytes: number } {
    const descriptor = openSync(this.path, 'a', SECRET_MODE);
    return { descriptor, bytes: fstatSync(descriptor).size };
  }
}
