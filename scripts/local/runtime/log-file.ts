import { appendFileSync, renameSync, statSync } from 'node:fs';
import { SECRET_MODE } from '../state/data-dir.ts';

/** Two files of this size are kept, so a chatty client cannot fill the disk with what it makes the plane log. */
const ROTATE_BYTES = 16 * 1024 * 1024;

/** A log file, one JSON object a line; the full one is kept as `<path>.1`. */
export class LogFile {
  readonly path: string;
  #bytes: number;

  constructor(path: string) {
    this.path = path;
    this.#bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  }

  /** Appends a line. A disk that is full loses it: logging must not stop the plane. */
  append(line: string): void {
    try {
      if (this.#bytes > ROTATE_BYTES) {
        renameSync(this.path, `${this.path}.1`);
        this.#bytes = 0;
      }
      appendFileSync(this.path, `${line}\n`, { mode: SECRET_MODE });
      this.#bytes += Buffer.byteLength(line) + 1;
    } catch {
      // Nowhere to say so.
    }
  }
}
