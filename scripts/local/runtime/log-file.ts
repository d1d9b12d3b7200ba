import { appendFileSync, copyFileSync, fstatSync, ftruncateSync, openSync, readSync } from 'node:fs';
import { SECRET_MODE } from '../state/data-dir.ts';

/** Two files of this size are kept, so a chatty client cannot fill the disk with what it makes the plane log. */
const ROTATE_BYTES = 16 * 1024 * 1024;

/** What others wrote is looked at this often, ms: a person hears of a warning soon enough, and a busy plane's log wakes nobody for each line. */
const FOLLOW_MS = 200;

const READ_BYTES = 256 * 1024;

const LINE_FEED = 0x0a;

/**
 * A log file, one JSON object a line, to which a process that was given {@link descriptor} appends as well; the full one is kept as `<path>.1`. It is copied and emptied, not renamed: the other
 * process would go on writing to the renamed one. A line that comes between the two is lost.
 */
export class LogFile {
  readonly path: string;
  readonly descriptor: number;
  /** How far it has been looked at. */
  #seen: number;

  /** Opens it for nobody else to read; what it holds already has been looked at. @throws where it cannot be opened. */
  constructor(path: string) {
    this.path = path;
    this.descriptor = openSync(path, 'a+', SECRET_MODE);
    this.#seen = fstatSync(this.descriptor).size;
  }

  /** Appends a line. A disk that is full loses it: logging must not stop the plane. */
  append(line: string): void {
    try {
      appendFileSync(this.descriptor, `${line}\n`);
    } catch {
      // Nowhere to say so.
    }
  }

  /** Gives whole lines to `take` as they come, several at once, without the last one's end. @returns ends it, after a last look. */
  follow(take: (lines: string) => void): () => void {
    const timer = setInterval(() => this.#look(take), FOLLOW_MS);
    timer.unref();
    return () => {
      clearInterval(timer);
      this.#look(take);
    };
  }

  #look(take: (lines: string) => void): void {
    try {
      for (let lines = this.#next(); lines !== null; lines = this.#next()) take(lines);
      if (this.#seen > ROTATE_BYTES) this.#rotate();
    } catch {
      // A disk that fails: the next look tries again.
    }
  }

  /** The next lines that have not been looked at; null where there are none, or none is whole yet. */
  #next(): string | null {
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    const length = readSync(this.descriptor, buffer, 0, READ_BYTES, this.#seen);
    const end = buffer.subarray(0, length).lastIndexOf(LINE_FEED);
    // A line that is longer than a look is told in pieces, so that what follows it is told too.
    const whole = end >= 0 ? end : length === READ_BYTES ? length : -1;
    if (whole < 0) return null;
    this.#seen += end >= 0 ? end + 1 : length;
    return buffer.toString('utf8', 0, whole);
  }

  #rotate(): void {
    copyFileSync(this.path, `${this.path}.1`);
    ftruncateSync(this.descriptor);
    this.#seen = 0;
  }
}
