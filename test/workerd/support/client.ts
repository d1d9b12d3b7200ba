import { Queue } from './queue.ts';

/** A client's end of a WebSocket through the plane. */
export class SocketClient {
  readonly socket: WebSocket;
  readonly messages = new Queue<string | ArrayBuffer>();
  readonly #closed = Promise.withResolvers<{ code: number; reason: string }>();

  /** @param response a 101 */
  constructor(response: Response) {
    const { webSocket } = response;
    if (webSocket === null) throw new Error(`not a WebSocket: ${response.status}`);
    this.socket = webSocket;
    webSocket.binaryType = 'arraybuffer';
    webSocket.addEventListener('message', ({ data }) => this.messages.push(data as string | ArrayBuffer));
    webSocket.addEventListener('close', ({ code, reason }) => this.#closed.resolve({ code, reason }));
    webSocket.addEventListener('error', () => this.#closed.resolve({ code: 1006, reason: '' }));
    webSocket.accept();
  }

  get closed(): Promise<{ code: number; reason: string }> {
    return this.#closed.promise;
  }

  send(message: string | ArrayBuffer | ArrayBufferView): void {
    this.socket.send(message);
  }

  close(code?: number, reason?: string): void {
    this.socket.close(code, reason);
  }

  async next(): Promise<string | ArrayBuffer> {
    return await this.messages.next();
  }
}
