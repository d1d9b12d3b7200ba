import { exports } from 'cloudflare:workers';
import { base64url } from 'jose';
import { randomBase32 } from '#schema/ids.ts';
import { Batch } from '#schema/protocol/codec/encode.ts';
import { ProtocolCode } from '#schema/protocol/codec/codes.ts';
import { Hello, proofBytes, type Challenge, type Proof, type Settled } from '#schema/protocol/codec/hello.ts';
import { AGENT_LIMITS, PLANE_LIMITS, type SessionLimits } from '#schema/protocol/limits.ts';
import { Session } from '#schema/protocol/session.ts';
import { Queue } from './queue.ts';
import { ServedStream } from './served.ts';

/** Where the plane under test believes to be. */
export const ORIGIN = 'https://outrider.example.com';

/** The cluster whose agent it is. */
export interface Home {
  readonly id: string;
  readonly key: AgentKey;
  credential(generation?: number, key?: AgentKey): Promise<string>;
}

/** An agent's own key pair; only the public half leaves it. */
export class AgentKey {
  readonly publicKey: string;
  readonly #privateKey: CryptoKey;

  constructor(publicKey: string, privateKey: CryptoKey) {
    this.publicKey = publicKey;
    this.#privateKey = privateKey;
  }

  static async make(): Promise<AgentKey> {
    const pair = (await crypto.subtle.generateKey('Ed25519', true, ['sign', 'verify'])) as CryptoKeyPair;
    const raw = (await crypto.subtle.exportKey('raw', pair.publicKey)) as ArrayBuffer;
    return new AgentKey(base64url.encode(new Uint8Array(raw)), pair.privateKey);
  }

  async sign(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
    return base64url.encode(new Uint8Array(await crypto.subtle.sign('Ed25519', this.#privateKey, bytes)));
  }
}

/** How a scripted agent differs from an honest one of its cluster. */
export interface AgentOptions {
  instance?: string;
  epoch?: number;
  role?: Proof['role'];
  capabilities?: string[];
  limits?: SessionLimits;
  /** Whence it dials, as the edge says it. */
  address?: string;
  /** Instead of a credential of the world's cluster. */
  credential?: string;
  key?: AgentKey;
  generation?: number;
  /** False: the challenge is left unanswered. */
  answers?: boolean;
  /** Changes the proof after it was signed. */
  forge?(proof: Proof, challenge: Challenge): Proof;
  /** The cluster that the signature is made for. */
  signedFor?: string;
  /** False: data counts as consumed only when the test says so. */
  consumes?: boolean;
}

/** Type, flags, incarnation, sequence, payload. */
export type RawFrame = Parameters<Batch['add']>;

export interface Closed {
  code: number;
  reason: string;
}

/** An agent under the test's control: a real session over a real socket of the plane. */
export class ScriptedAgent {
  readonly options: AgentOptions;
  readonly instance: string;
  readonly socket: WebSocket;
  readonly session: Session;
  /** Streams that the plane has opened and no test has taken. */
  readonly opened = new Queue<ServedStream>();
  readonly #settled = Promise.withResolvers<Settled>();
  readonly #challenged = Promise.withResolvers<Challenge>();
  readonly #closed = Promise.withResolvers<Closed>();
  readonly #goaway = Promise.withResolvers<Closed>();
  readonly #pongs = new Queue<string>();
  readonly #home: Home;
  #serve: ((stream: ServedStream) => void) | null = null;
  #planeLimits: SessionLimits = PLANE_LIMITS;
  #pulling = false;

  private constructor(home: Home, socket: WebSocket, options: AgentOptions) {
    this.#home = home;
    this.options = options;
    this.instance = options.instance ?? randomBase32(20);
    this.socket = socket;
    for (const { promise } of [this.#settled, this.#challenged]) promise.catch(() => undefined);
    this.session = new Session({
      role: 'agent',
      local: options.limits ?? AGENT_LIMITS,
      handler: {
        onOpen: (stream, head) => {
          const served = new ServedStream(stream, head, options.consumes ?? true);
          if (this.#serve === null) this.opened.push(served);
          else this.#serve(served);
        },
        onHello: (payload) => void this.#hello(payload),
        onGoaway: (code, reason) => this.#goaway.resolve({ code, reason }),
        onPending: () => this.#schedule(),
        onError: () => this.#flush(),
      },
    });
    socket.binaryType = 'arraybuffer';
    socket.addEventListener('message', ({ data }) => {
      if (typeof data === 'string') this.#pongs.push(data);
      else this.session.receive(new Uint8Array(data as ArrayBuffer));
    });
    socket.addEventListener('close', ({ code, reason }) => this.#ended({ code, reason }));
    socket.accept();
  }

  /** Dials the plane with a credential. Throws with the plane's answer where it refuses. */
  static async connect(home: Home, options: AgentOptions): Promise<ScriptedAgent> {
    const credential = options.credential ?? (await home.credential(options.generation, options.key));
    const response = await exports.default.fetch(`${ORIGIN}/connect/tunnel`, {
      headers: {
        upgrade: 'websocket',
        authorization: `Bearer ${credential}`,
        ...(options.address === undefined ? {} : { 'cf-connecting-ip': options.address }),
      },
    });
    if (response.webSocket === null) throw new Error(`${response.status} ${await response.text()}`);
    return new ScriptedAgent(home, response.webSocket, options);
  }

  /** Settles with HELLO; rejects when the socket closes before. */
  get settled(): Promise<Settled> {
    return this.#settled.promise;
  }
  get challenged(): Promise<Challenge> {
    return this.#challenged.promise;
  }
  /** How the plane closed the socket, or the socket ended. */
  get closed(): Promise<Closed> {
    return this.#closed.promise;
  }
  /** The plane's GOAWAY. */
  get goaway(): Promise<Closed> {
    return this.#goaway.promise;
  }

  /** The next stream that the plane opens. */
  async next(): Promise<ServedStream> {
    return await this.opened.next();
  }

  /** From now on every stream goes to `serve`. */
  serve(serve: (stream: ServedStream) => void): void {
    this.#serve = serve;
  }

  async ping(): Promise<string> {
    this.socket.send('ping');
    return await this.#pongs.next();
  }

  /** Takes no new streams, as on SIGTERM. */
  drain(): void {
    this.session.goaway(ProtocolCode.DRAIN, 'SIGTERM');
  }

  hangUp(): void {
    try {
      this.socket.close(1000, 'the test is over');
    } catch {
      // Closed from the other side already.
    }
    this.#ended({ code: 1000, reason: '' });
  }

  /** Sends one frame past the session, however wrong. */
  frame(...frame: RawFrame): void {
    this.frames([frame]);
  }

  /** Sends frames past the session in one message. */
  frames(frames: readonly RawFrame[]): void {
    const batch = new Batch();
    for (const frame of frames) batch.add(...frame);
    this.socket.send(batch.finish());
  }

  /** A signed answer to a challenge. */
  async proof(challenge: Challenge): Promise<Proof> {
    const { options, instance } = this;
    const epoch = options.epoch ?? 1;
    const bytes = proofBytes(challenge.nonce, options.signedFor ?? this.#home.id, instance, epoch);
    const proof: Proof = {
      step: 'proof',
      version: 1,
      instance,
      epoch,
      role: options.role ?? 'cluster',
      capabilities: options.capabilities ?? ['http', 'upgrade'],
      limits: options.limits ?? AGENT_LIMITS,
      agentVersion: '0.1.0',
      kubernetesVersion: 'v1.34.2',
      signature: await (options.key ?? this.#home.key).sign(bytes),
    };
    return options.forge?.(proof, challenge) ?? proof;
  }

  hello(message: object): void {
    this.session.hello(new TextEncoder().encode(JSON.stringify(message)));
  }

  async #hello(payload: Uint8Array): Promise<void> {
    const hello = Hello.parse(JSON.parse(new TextDecoder().decode(payload)));
    if (hello.step === 'settled') {
      // At once: streams may follow in the same message.
      this.session.settle(this.#planeLimits);
      this.#settled.resolve(hello);
    } else if (hello.step === 'challenge') {
      this.#planeLimits = hello.limits;
      this.#challenged.resolve(hello);
      if (this.options.answers !== false) this.hello(await this.proof(hello));
    }
  }

  #ended(closed: Closed): void {
    this.session.close(`the socket closed: ${closed.code} ${closed.reason}`);
    this.#closed.resolve(closed);
    const error = new Error(`the plane closed the tunnel: ${closed.code} ${closed.reason}`);
    this.#settled.reject(error);
    this.#challenged.reject(error);
  }

  #schedule(): void {
    if (this.#pulling) return;
    this.#pulling = true;
    queueMicrotask(() => {
      this.#pulling = false;
      this.#flush();
    });
  }

  #flush(): void {
    for (let message = this.session.pull(); message !== null; message = this.session.pull()) {
      try {
        this.socket.send(message);
      } catch {
        return;
      }
    }
  }
}
