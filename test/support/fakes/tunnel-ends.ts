import { generateKeyPairSync, webcrypto } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { expect, vi } from 'vitest';
import type { Challenge, Settled } from '#schema/protocol/codec/hello.ts';
import { AGENT_LIMITS } from '#schema/protocol/limits.ts';
import { Session } from '#schema/protocol/session.ts';

const MiB = 1024 * 1024;
const LIMITS = { streamWindow: 8 * MiB, sessionWindow: 8 * MiB, maxStreams: 4096 };

/** A private key as an agent has it. */
export async function agentKey(): Promise<webcrypto.CryptoKey> {
  const { privateKey } = generateKeyPairSync('ed25519');
  const pkcs8 = privateKey.export({ format: 'der', type: 'pkcs8' });
  return await webcrypto.subtle.importKey('pkcs8', pkcs8, 'Ed25519', false, ['sign']);
}

/** An agent's socket, which keeps what it is given until the test says that it has left. */
export class StalledSocket extends EventEmitter {
  readonly OPEN = 1;
  readyState = 1;
  readonly texts: string[] = [];
  closedWith: number | null = null;
  #waiting: { message: Uint8Array; left: () => void }[] = [];

  get bufferedAmount(): number {
    return this.#waiting.reduce((sum, { message }) => sum + message.byteLength, 0);
  }
  resume(): void {}
  send(message: Uint8Array | string, left: () => void = () => undefined): void {
    if (typeof message === 'string') this.texts.push(message);
    else this.#waiting.push({ message, left });
  }
  /** Lets everything leave. */
  leave(): Uint8Array[] {
    const gone = this.#waiting.splice(0);
    for (const { left } of gone) left();
    return gone.map(({ message }) => message);
  }
  close(code: number): void {
    if (this.readyState === 3) return;
    this.closedWith = code;
    this.readyState = 3;
    this.emit('close', code, Buffer.alloc(0));
  }
  terminate(): void {
    this.close(1006);
  }
}

const bytes = (value: object): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

/** Before time is taken over: a signature takes real time. */
const turn = setImmediate;

/** A plane at the other end of a {@link StalledSocket}, under fake timers. */
export class PlaneEnd {
  readonly session: Session;
  readonly #socket: StalledSocket;

  constructor(socket: StalledSocket) {
    this.#socket = socket;
    this.session = new Session({
      role: 'plane',
      local: LIMITS,
      handler: {
        onOpen: () => undefined,
        onHello: () => undefined,
        onGoaway: () => undefined,
        onPending: () => undefined,
        onError: (error) => expect.fail(error.message),
      },
    });
  }

  /** Takes the plane's part in HELLO, to its end. */
  async settle(): Promise<void> {
    const challenge: Challenge = { step: 'challenge', versions: [1], nonce: 'n'.repeat(43), limits: LIMITS };
    this.session.hello(bytes(challenge));
    this.toAgent();
    while (this.#socket.bufferedAmount === 0) {
      await new Promise((resolve) => turn(resolve));
      await vi.advanceTimersByTimeAsync(0);
    }
    this.fromAgent();
    const settled: Settled = { step: 'settled', version: 1, standby: false };
    this.session.hello(bytes(settled));
    this.session.settle(AGENT_LIMITS);
    this.toAgent();
  }

  fromAgent(): void {
    for (const message of this.#socket.leave()) this.session.receive(message);
  }

  toAgent(): void {
    for (let message = this.session.pull(); message !== null; message = this.session.pull()) {
      this.#socket.emit('message', Buffer.from(message), true);
    }
  }

  /** Answers the agent's pings that are out. */
  pong(): void {
    this.#socket.emit('message', Buffer.from('pong'), false);
  }
}
