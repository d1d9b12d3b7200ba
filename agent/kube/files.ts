import { readFile } from 'node:fs/promises';

/** How long a file's content is taken for current, ms: client-go reads a projected token again each minute (`transport/token_source.go`). */
const FRESH_MS = 60_000;

/** CA bundles and tokens are a few KiB; a CA bundle of many roots is not larger than this. */
export const MAX_FILE_BYTES = 1024 * 1024;

/** A file that something else replaces at its own time, as the kubelet does with projected tokens and CAs. */
export class RotatedFile {
  readonly path: string;
  readonly #now: () => number;
  #content = '';
  #readAt = Number.NEGATIVE_INFINITY;

  constructor(path: string, now: () => number = () => performance.now()) {
    this.path = path;
    this.#now = now;
  }

  /**
   * The content, without white space around it, at most a minute old.
   * @throws Error of the file system; or when the file is empty or too large.
   */
  async read(): Promise<string> {
    if (this.#now() - this.#readAt < FRESH_MS) return this.#content;
    return this.readNow();
  }

  /** The content as it is at this moment. */
  async readNow(): Promise<string> {
    const text = await readSmallFile(this.path);
    if (text === '') throw new Error(`${this.path} is empty`);
    this.#content = text;
    this.#readAt = this.#now();
    return text;
  }
}

/** A file's trimmed text, '' for an empty one. */
async function readSmallFile(path: string): Promise<string> {
  const bytes = await readFile(path);
  if (bytes.byteLength > MAX_FILE_BYTES) throw new Error(`${path} is larger than ${MAX_FILE_BYTES} bytes`);
  return bytes.toString('utf8').trim();
}

/** As {@link readSmallFile}; '' also when there is no such file. */
export async function readOptionalFile(path: string): Promise<string> {
  try {
    return await readSmallFile(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
    throw error;
  }
}
