import { StreamKind } from '#schema/protocol/codec/frame.ts';
import { AGENT_LIMITS, PLANE_LIMITS } from '#schema/protocol/limits.ts';
import type { SessionHandler } from '#schema/protocol/handler.ts';
import { Session } from '#schema/protocol/session.ts';
import type { Stream, StreamHandler } from '#schema/protocol/flow/stream.ts';
import { utf8 } from './link.ts';

/** One download: the agent writes as fast as it may, the reader takes as fast as it is told to. */
export interface Download {
  stream: Stream;
  received: number;
  /** Received and not taken. */
  held: number;
  /** Octets a ms; Infinity: at once. */
  pace: number;
  stalled: string | null;
  reset: number | null;
}

const CHUNK = new Uint8Array(64 * 1024);

/**
 * Two settled sessions with a line between them that takes half a round trip each way and passes so many octets a ms. Time is virtual and advances by a ms, or by
 * as much as the line needs.
 */
export class Line {
  now = 0;
  readonly plane: Session;
  readonly agent: Session;
  readonly downloads: Download[] = [];
  readonly #oneWayMs: number;
  readonly #rate: number;
  readonly #toPlane: { at: number; message: Uint8Array }[] = [];
  readonly #toAgent: { at: number; message: Uint8Array }[] = [];
  readonly #limit: number;
  /** Of the downloads that the agent has not heard of. */
  readonly #totals: number[] = [];
  /** The line from the agent is taken until then. */
  #busyUntil = 0;

  /** @param limit octets that each download writes at most. */
  constructor({ roundTripMs, rate, limit = Infinity }: { roundTripMs: number; rate: number; limit?: number }) {
    this.#oneWayMs = roundTripMs / 2;
    this.#rate = rate;
    this.#limit = limit;
    const now = (): number => this.now;
    this.plane = new Session({ role: 'plane', local: PLANE_LIMITS, now, handler: this.#handler() });
    this.agent = new Session({ role: 'agent', local: AGENT_LIMITS, now, handler: this.#handler() });
    this.plane.settle(AGENT_LIMITS);
    this.agent.settle(PLANE_LIMITS);
  }

  /** @param total octets that the download has; the line's limit if not given. */
  open(pace = Infinity, total = this.#limit): Download {
    this.#totals.push(total);
    const handler: StreamHandler = {
      onData: (data) => {
        download.received += data.byteLength;
        download.held += data.byteLength;
        if (pace === Infinity && download.pace === Infinity) this.#take(download, download.held);
      },
      onEnd: () => undefined,
      onReset: (code) => (download.reset = code),
      onStalled: (reason) => (download.stalled = reason),
    };
    const stream = this.plane.open(StreamKind.HTTP, utf8('GET /'), true, handler);
    const download: Download = { stream, received: 0, held: 0, pace, stalled: null, reset: null };
    this.downloads.push(download);
    return download;
  }

  /** Lets so much time pass. */
  run(ms: number): void {
    const end = this.now + ms;
    while (this.now < end) {
      this.now++;
      this.#send();
      for (const [queue, session] of [
        [this.#toPlane, this.plane],
        [this.#toAgent, this.agent],
      ] as const) {
        for (let next = queue[0]; next !== undefined && next.at <= this.now; next = queue[0]) {
          queue.shift();
          session.receive(next.message);
        }
      }
      for (const download of this.downloads) {
        if (download.pace !== Infinity) this.#take(download, Math.min(download.held, download.pace));
      }
    }
  }

  #take(download: Download, bytes: number): void {
    download.held -= bytes;
    if (bytes > 0) download.stream.consumed(bytes);
  }

  #send(): void {
    for (let m = this.plane.pull(); m !== null; m = this.plane.pull())
      this.#toAgent.push({ at: this.now + this.#oneWayMs, message: m });
    // As the agent's socket: what the line cannot take yet is not pulled.
    while (this.#busyUntil < this.now + 1) {
      const message = this.agent.pull();
      if (message === null) return;
      this.#busyUntil = Math.max(this.#busyUntil, this.now) + message.byteLength / this.#rate;
      this.#toPlane.push({ at: this.#busyUntil + this.#oneWayMs, message });
    }
  }

  #handler(): SessionHandler {
    return {
      onOpen: (stream) => {
        const total = this.#totals.shift() ?? this.#limit;
        let written = 0;
        const write = (): void => {
          while (written < total) {
            const chunk = CHUNK.subarray(0, Math.min(CHUNK.byteLength, total - written));
            written += chunk.byteLength;
            const more = stream.write(chunk);
            if (written >= total) stream.end();
            if (!more) return;
          }
        };
        stream.handler = {
          onData: () => undefined,
          onEnd: () => undefined,
          onReset: () => undefined,
          onWritable: write,
        };
        stream.head(utf8('200'));
        write();
      },
      onHello: () => undefined,
      onGoaway: () => undefined,
      onPending: () => undefined,
      onError: (error) => {
        throw error;
      },
    };
  }
}
