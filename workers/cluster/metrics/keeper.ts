import type { Settled } from '../tunnels/attachment.ts';
import type { Counted, Counters } from './counters.ts';

/** The part of a socket that outlives the object's memory. */
export type AttachmentSocket = Pick<WebSocket, 'serializeAttachment'>;

/**
 * Keeps the counters over a hibernation, in the attachment of one agent's socket, and never a second copy: one that is older than what was scraped would read as a
 * counter that began again at that height (decision 0008). When that socket goes while the object sleeps, counting begins at zero.
 */
export class Keeper {
  readonly #counters: Counters;
  #socket: AttachmentSocket | null = null;

  constructor(counters: Counters) {
    this.#counters = counters;
  }

  /** The object has woken, and this socket kept them. */
  restore(socket: AttachmentSocket, counted: Counted): void {
    if (this.#socket !== null) return;
    this.#socket = socket;
    this.#counters.restore(counted);
  }

  /** Writes what HELLO settled; with it, where this socket keeps them, the counters. */
  note(socket: AttachmentSocket, settled: Settled): void {
    if (socket === this.#socket) this.#write(socket, settled);
    else socket.serializeAttachment(settled);
  }

  /** Writes the counters, unless another socket keeps them: false. */
  keep(socket: AttachmentSocket, settled: Settled): boolean {
    this.#socket ??= socket;
    if (socket !== this.#socket) return false;
    this.#write(socket, settled);
    return true;
  }

  gone(socket: AttachmentSocket): void {
    if (socket === this.#socket) this.#socket = null;
  }

  #write(socket: AttachmentSocket, settled: Settled): void {
    socket.serializeAttachment({ ...settled, counted: this.#counters.counted });
    this.#counters.changed = false;
  }
}
