import { randomBytes, webcrypto } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import { type WebSocket, WebSocketServer } from 'ws';
import { randomBase32 } from '#schema/ids.ts';
import { CLOSE_CODE_BASE, type ProtocolError } from '#schema/protocol/codec/codes.ts';
import { StreamKind } from '#schema/protocol/codec/frame.ts';
import { decodeResponseHead, encodeRequestHead, type Field, type ResponseHead } from '#schema/protocol/codec/head.ts';
import { Proof, proofBytes, VERSIONS } from '#schema/protocol/codec/hello.ts';
import { PLANE_LIMITS, type SessionLimits } from '#schema/protocol/limits.ts';
import type { SessionHandler } from '#schema/protocol/handler.ts';
import { Session } from '#schema/protocol/session.ts';
import type { Stream, StreamHandler } from '#schema/protocol/flow/stream.ts';
import { decodeClose } from '#schema/protocol/codec/close.ts';

/** A certificate and key (PEM). */
export interface Identity {
  cert: string;
  key: string;
}

/** A person without whom no request is served, as the proxy would set it. */
export const ALICE: Field[] = [
  ['impersonate-user', 'u-alice'],
  ['impersonate-group', 'outrider.dev:cluster-owner'],
  ['impersonate-group', 'system:authenticated'],
];

/** What a test asks of the agent. */
export interface Ask {
  method?: string;
  target: string;
  fields?: Field[];
  body?: string | Uint8Array;
  /** False: the body goes on with {@link Exchange.stream}. */
  fin?: boolean;
  /** False: nothing that comes is consumed, until the test does. */
  consume?: boolean;
}

/** A message of an `upgrade` stream. */
export interface Message {
  data: Buffer;
  flags: number;
}

/** One stream as the plane sees it. */
export class Exchange implements StreamHandler {
  declare stream: Stream;
  readonly chunks: Message[] = [];
  accepted = false;
  received = 0;
  resets: { code: number; reason: string }[] = [];
  readonly #consume: boolean;
  #head: ResponseHead | null = null;
  #ended: Uint8Array | null = null;
  #waiters: (() => void)[] = [];

  constructor(consume: boolean) {
    this.#consume = consume;
  }

  onAccept(): void {
    this.accepted = true;
    this.#wake();
  }
  onHead(head: Uint8Array): void {
    this.#head = decodeResponseHead(head);
    this.#wake();
  }
  onData(data: Uint8Array, flags: number): void {
    this.chunks.push({ data: Buffer.from(data), flags });
    this.received += data.byteLength;
    if (this.#consume) this.stream.consumed(data.byteLength);
    this.#wake();
  }
  onEnd(payload: Uint8Array): void {
    this.#ended = Buffer.from(payload);
    this.#wake();
  }
  onReset(code: number, reason: string): void {
    this.resets.push({ code, reason });
    this.#wake();
  }
  onWritable(): void {
    this.#wake();
  }

  /** Waits for something to become true of this stream; fails when it is reset meanwhile. */
  async until(done: () => boolean): Promise<void> {
    while (!done()) {
      const reset = this.resets[0];
      if (reset !== undefined) throw new Error(`reset ${reset.code}: ${reset.reason}`);
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
  }
  async accept(): Promise<void> {
    await this.until(() => this.accepted);
  }
  async head(): Promise<ResponseHead> {
    await this.until(() => this.#head !== null);
    return this.#head!;
  }
  /** The whole body as text. */
  async text(): Promise<string> {
    await this.until(() => this.#ended !== null);
    return Buffer.concat(this.chunks.map(({ data }) => data)).toString('utf8');
  }
  async close(): Promise<{ code: number; reason: string }> {
    await this.until(() => this.#ended !== null);
    return decodeClose(this.#ended!);
  }
  async reset(): Promise<{ code: number; reason: string }> {
    while (this.resets.length === 0) await new Promise<void>((resolve) => this.#waiters.push(resolve));
    return this.resets[0]!;
  }

  #wake(): void {
    for (const waiter of this.#waiters.splice(0)) waiter();
  }
}

/** The plane's end of one tunnel. */
export class PlaneTunnel implements SessionHandler {
  readonly socket: WebSocket;
  readonly session: Session;
  readonly limits: SessionLimits;
  readonly credential: string;
  readonly incarnation: number;
  readonly goaways: { code: number; reason: string }[] = [];
  readonly messages: number[] = [];
  proof: Proof | null = null;
  error: ProtocolError | null = null;
  pings = 0;
  readonly closed: Promise<[number, Buffer]>;
  readonly #nonce = randomBytes(32).toString('base64url');
  readonly #plane: FakePlane;
  #scheduled = false;
  #held = false;

  constructor(plane: FakePlane, socket: WebSocket, credential: string, incarnation: number) {
    this.#plane = plane;
    this.socket = socket;
    this.credential = credential;
    this.incarnation = incarnation;
    this.limits = plane.limits;
    const { lastSequence } = plane;
    this.session = new Session({ role: 'plane', local: this.limits, handler: this, incarnation, lastSequence });
    this.closed = once(socket, 'close') as Promise<[number, Buffer]>;
    socket.on('message', (data: Buffer, binary) => {
      if (binary) {
        this.messages.push(data.byteLength);
        this.session.receive(data);
      } else if (data.toString() === 'ping') {
        this.pings++;
        if (plane.pong) socket.send('pong');
      }
    });
    socket.on('close', () => this.session.close('closed'));
    socket.on('error', () => undefined);
    const challenge = { step: 'challenge', versions: plane.versions, nonce: this.#nonce, limits: this.limits };
    this.session.hello(Buffer.from(JSON.stringify(challenge)));
  }

  /** Sends nothing until what it returns is called: what is sent then has crossed what the agent sent meanwhile. */
  hold(): () => void {
    this.#held = true;
    return () => {
      this.#held = false;
      this.onPending();
    };
  }

  onOpen(): void {
    throw new Error('an agent opens no streams');
  }
  onHello(payload: Uint8Array): void {
    this.proof = Proof.parse(JSON.parse(Buffer.from(payload).toString('utf8')));
    void this.#settle(this.proof);
  }
  onGoaway(code: number, reason: string): void {
    this.goaways.push({ code, reason });
  }
  onPending(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (this.#held) return;
      for (let message = this.session.pull(); message !== null; message = this.session.pull())
        this.socket.send(message);
    });
  }
  onError(error: ProtocolError): void {
    this.error = error;
    this.socket.close(CLOSE_CODE_BASE + error.code);
  }

  async #settle(proof: Proof): Promise<void> {
    const registration = this.#plane.registrations.at(-1);
    if (registration === undefined) throw new Error('not registered');
    const key = await webcrypto.subtle.importKey(
      'raw',
      Buffer.from(registration.publicKey, 'base64url'),
      'Ed25519',
      true,
      ['verify'],
    );
    const claimed = proofBytes(this.#nonce, this.#plane.cluster, proof.instance, proof.epoch);
    const fine = await webcrypto.subtle.verify('Ed25519', key, Buffer.from(proof.signature, 'base64url'), claimed);
    if (!fine) throw new Error('the proof does not hold');
    this.session.settle(proof.limits);
    this.session.hello(Buffer.from(JSON.stringify({ step: 'settled', version: proof.version, standby: false })));
    this.#plane.settled(this);
  }

  /** Opens an `http` stream as alice, unless `fields` say otherwise. */
  http(ask: Ask): Exchange {
    return this.open(StreamKind.HTTP, ask, ask.fin ?? true);
  }
  upgrade(ask: Ask): Exchange {
    return this.open(StreamKind.UPGRADE, ask, false);
  }

  open(kind: StreamKind, { method = 'GET', target, fields = ALICE, body, consume = true }: Ask, fin = true): Exchange {
    const exchange = new Exchange(consume);
    const head = encodeRequestHead({ method, target, fields });
    exchange.stream = this.session.open(kind, head, fin && body === undefined, exchange);
    if (body !== undefined) {
      exchange.stream.write(typeof body === 'string' ? Buffer.from(body) : body);
      if (fin) exchange.stream.end();
    }
    return exchange;
  }
}

/** The plane's way in for agents, over real TLS and WebSockets, and nothing behind it. */
export class FakePlane {
  readonly cluster = `c-g${randomBase32(18)}`;
  readonly registrations: { token: string; publicKey: string; kubeSystemUid: string; kubernetesVersion: string }[] = [];
  readonly tunnels: PlaneTunnel[] = [];
  dials = 0;
  /** What may be set before the agent comes. */
  versions: number[] = [...VERSIONS];
  limits: SessionLimits = PLANE_LIMITS;
  pong = true;
  /** Of the sessions that begin from now on: the highest sequence that counts as used. */
  lastSequence = 0;
  /** Answers instead of serving: status and problem. */
  refuseRegistration: { status: number; detail: string } | null = null;
  refuseDial: { status: number; detail: string } | null = null;
  credential = 'a-credential-of-the-plane-1';
  #incarnation = 1;
  #settledCount = 0;
  #waiters: (() => void)[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
    server.on('request', (request, response) => void this.#answer(request, response));
    server.on('upgrade', (request, socket, head) => {
      this.dials++;
      const refusal = this.refuseDial;
      if (refusal !== null || request.url !== '/connect/tunnel') {
        const body = JSON.stringify({ title: 'refused', detail: refusal?.detail ?? 'no such path' });
        socket.end(
          `HTTP/1.1 ${refusal?.status ?? 404} Refused\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
        );
        this.#wake();
        return;
      }
      sockets.handleUpgrade(request, socket, head, (webSocket) => {
        const credential = (request.headers.authorization ?? '').replace('Bearer ', '');
        this.tunnels.push(new PlaneTunnel(this, webSocket, credential, this.#incarnation));
        this.#wake();
      });
    });
  }

  static async start(identity: Identity): Promise<FakePlane> {
    const server = createServer(identity);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new FakePlane(server);
  }

  get url(): string {
    const at = this.#server.address();
    if (at === null || typeof at === 'string') throw new Error('not listening');
    return `https://127.0.0.1:${at.port}`;
  }

  settled(_tunnel: PlaneTunnel): void {
    this.#settledCount++;
    this.#wake();
  }

  /** The n-th tunnel (from 1) once it is settled. */
  async tunnel(nth = 1): Promise<PlaneTunnel> {
    await this.until(() => this.#settledCount >= nth);
    return this.tunnels.filter(({ proof }) => proof !== null).at(nth - 1)!;
  }

  async until(done: () => boolean): Promise<void> {
    while (!done()) await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }

  async stop(): Promise<void> {
    for (const { socket } of this.tunnels) socket.terminate();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = (await json(request)) as FakePlane['registrations'][number];
    const refusal = request.url === '/connect/register' ? this.refuseRegistration : { status: 404, detail: 'no' };
    if (refusal === null) this.registrations.push(body);
    response.writeHead(refusal?.status ?? 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(refusal ?? { cluster: this.cluster, credential: this.credential }));
    this.#wake();
  }

  #wake(): void {
    for (const waiter of this.#waiters.splice(0)) waiter();
  }
}
