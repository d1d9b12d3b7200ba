import { type FileHandle, open, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';

/** The parts of an audit.k8s.io/v1 Event that are of interest. */
const auditEvent = z.looseObject({
  auditID: z.string(),
  stage: z.string(),
  requestURI: z.string(),
  responseStatus: z.looseObject({ code: z.int().optional() }).optional(),
});

/** How often the log is looked at while something is awaited in it, ms. */
const LOOK_MS = 20;

const CHUNK_BYTES = 256 * 1024;

/** Reads the audit log as it grows, each line once: over hundreds of schedules it has hundreds of megabytes, and the API server begins a new file after a hundred. */
export class AuditTail {
  readonly #path: string;
  #file: FileHandle | null = null;
  #rest = '';
  /** Statuses by the `mark` in the request's query. */
  readonly #executed = new Map<string, number[]>();
  /** Requests that were begun to be answered and are not over, by their audit id. */
  readonly #open = new Map<string, string>();

  constructor(path: string) {
    this.#path = path;
  }

  /** How each request that is over ended, by its mark: all that were ever logged. */
  async executed(): Promise<ReadonlyMap<string, readonly number[]>> {
    await this.#read();
    return this.#executed;
  }

  /** How many requests with `part` in their URI the API server is still answering. */
  async open(part: string): Promise<number> {
    await this.#read();
    return [...this.#open.values()].filter((uri) => uri.includes(part)).length;
  }

  /** Resolves when a request with this mark is in the log. */
  async until(mark: string): Promise<void> {
    while (!(await this.executed()).has(mark)) await sleep(LOOK_MS);
  }

  async close(): Promise<void> {
    await this.#file?.close();
  }

  async #read(): Promise<void> {
    this.#file ??= await open(this.#path);
    await this.#readRest(this.#file);
    const [ours, current] = await Promise.all([this.#file.stat(), stat(this.#path)]);
    if (ours.ino === current.ino) return;
    await this.#readRest(this.#file);
    await this.#file.close();
    this.#file = await open(this.#path);
    await this.#readRest(this.#file);
  }

  async #readRest(file: FileHandle): Promise<void> {
    const chunk = Buffer.alloc(CHUNK_BYTES);
    for (;;) {
      const { bytesRead } = await file.read(chunk);
      if (bytesRead === 0) return;
      // Only ASCII is looked for; a character that is cut in two is in nobody's mark.
      const lines = (this.#rest + chunk.toString('latin1', 0, bytesRead)).split('\n');
      this.#rest = lines.pop() ?? '';
      for (const line of lines) this.#take(line);
    }
  }

  #take(line: string): void {
    // What the control plane asks for itself has none.
    if (!line.includes('mark=')) return;
    const { auditID, stage, requestURI, responseStatus } = auditEvent.parse(JSON.parse(line));
    const mark = /[?&]mark=([a-z0-9-]+)/.exec(requestURI)?.[1];
    if (mark === undefined) return;
    if (stage === 'ResponseStarted') {
      this.#open.set(auditID, requestURI);
      return;
    }
    this.#open.delete(auditID);
    const statuses = this.#executed.get(mark) ?? [];
    statuses.push(responseStatus?.code ?? 0);
    this.#executed.set(mark, statuses);
  }
}
