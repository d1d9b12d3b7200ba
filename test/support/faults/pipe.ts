import type { Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { Records } from './records.ts';

/** How a connection ends: at once, or in order. */
export type Ending = 'rst' | 'fin';

/** What one direction of a line is like. */
export interface Conditions {
  /** Added to the way of each octet, ms. */
  delayMs: number;
  bytesPerSecond: number;
  /** No write is larger. */
  sliceBytes: number;
  /** Nothing arrives, also no end; what was sent meanwhile arrives afterwards, as TCP would repeat it. */
  silent: boolean;
}

export const GOOD: Conditions = { delayMs: 0, bytesPerSecond: Infinity, sliceBytes: Infinity, silent: false };

/** After so many octets, or whole TLS records, from now on. */
export interface CutPoint {
  unit: 'octets' | 'records';
  count: number;
  how: Ending;
}

/** What may wait here: about what a network holds. Past it the sender is not read. */
const HOLD_BYTES = 256 * 1024;

/** A throttled line is written to so often, ms. */
const THROTTLE_STEP_MS = 20;

interface Entry {
  readonly at: number;
  /** What is left of it. */
  data: Uint8Array;
  /** The sender's end, instead of data. */
  readonly ending: Ending | null;
}

const NOTHING = new Uint8Array();

/** One direction of a relayed connection. */
export class Pipe {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #conditions: () => Conditions;
  readonly #ended: (how: Ending, cut: boolean) => void;
  readonly #queue: Entry[] = [];
  readonly #records = new Records();
  #held = 0;
  #cutPoint: CutPoint | null = null;
  #over = false;
  #wake: () => void = () => undefined;

  /** @param ended is told, once, when the sender's end has arrived, or (`cut`) a cut point was reached */
  constructor(from: Socket, to: Socket, conditions: () => Conditions, ended: (how: Ending, cut: boolean) => void) {
    this.#from = from;
    this.#to = to;
    this.#conditions = conditions;
    this.#ended = ended;
    from.on('data', (data: Buffer) => this.#push({ at: performance.now(), data, ending: null }));
    from.on('end', () => this.#push({ at: performance.now(), data: NOTHING, ending: 'fin' }));
    from.on('error', () => this.#push({ at: performance.now(), data: NOTHING, ending: 'rst' }));
    void this.#run();
  }

  /** Conditions have changed. */
  poke(): void {
    this.#wake();
  }

  cutAt(point: CutPoint): void {
    this.#cutPoint = { ...point };
    this.#wake();
  }

  stop(): void {
    this.#over = true;
    this.#wake();
  }

  #push(entry: Entry): void {
    this.#queue.push(entry);
    this.#held += entry.data.byteLength;
    if (this.#held > HOLD_BYTES) this.#from.pause();
    this.#wake();
  }

  async #run(): Promise<void> {
    while (!this.#over) {
      const [entry] = this.#queue;
      const { silent, delayMs } = this.#conditions();
      if (entry === undefined || silent) {
        await this.#change();
        continue;
      }
      const early = entry.at + delayMs - performance.now();
      if (early > 0) {
        await this.#change(early);
        continue;
      }
      if (entry.ending !== null) {
        // Not the last that is heard: a connection that was half closed may yet be reset.
        this.#queue.shift();
        this.#ended(entry.ending, false);
        continue;
      }
      await this.#write(entry);
    }
  }

  async #write(entry: Entry): Promise<void> {
    const { sliceBytes, bytesPerSecond } = this.#conditions();
    const step = Math.max(1, Math.floor((bytesPerSecond * THROTTLE_STEP_MS) / 1000));
    const piece = entry.data.subarray(0, Math.min(sliceBytes, step, this.#untilCut()));
    entry.data = entry.data.subarray(piece.byteLength);
    if (entry.data.byteLength === 0) this.#queue.shift();
    this.#held -= piece.byteLength;
    if (this.#held <= HOLD_BYTES) this.#from.resume();
    // Into a connection that is gone, as into a hole: the end that follows still has to pass.
    const room = this.#to.destroyed || this.#to.write(piece);
    if (this.#count(piece)) {
      this.#over = true;
      this.#ended(this.#cutPoint!.how, true);
      return;
    }
    if (!room) await this.#drained();
    if (bytesPerSecond !== Infinity) await this.#pause((piece.byteLength / bytesPerSecond) * 1000);
    // Apart, or the kernel would put the slices together again.
    else if (sliceBytes !== Infinity) await turn();
  }

  #untilCut(): number {
    if (this.#cutPoint === null) return Infinity;
    return this.#cutPoint.unit === 'octets' ? this.#cutPoint.count : this.#records.certain;
  }

  /** True: the cut point is reached. */
  #count(piece: Uint8Array): boolean {
    let whole = 0;
    for (let rest = piece; rest.byteLength > 0;) {
      const part = rest.subarray(0, this.#records.certain);
      if (this.#records.take(part)) whole++;
      rest = rest.subarray(part.byteLength);
    }
    const point = this.#cutPoint;
    if (point === null) return false;
    point.count -= point.unit === 'octets' ? piece.byteLength : whole;
    return point.count <= 0;
  }

  /** Resolves when something has changed, or the time is over. */
  async #change(ms?: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = ms === undefined ? undefined : setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Waits for a time that no change of conditions shortens, only the end. */
  async #pause(ms: number): Promise<void> {
    const until = performance.now() + ms;
    for (let left = ms; left > 0 && !this.#over; left = until - performance.now()) await this.#change(left);
  }

  async #drained(): Promise<void> {
    if (this.#to.destroyed) return;
    await new Promise<void>((resolve) => {
      this.#to.once('drain', resolve);
      this.#to.once('close', resolve);
    });
  }
}
