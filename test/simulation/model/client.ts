import type { ReadableByteStreamController } from 'node:stream/web';
import { OutriderError } from '#schema/errors.ts';
import { encodeRequestHead, type Field } from '#schema/protocol/codec/head.ts';
import { EVENT_BYTES, type Plan } from './api-server.ts';
import type { Clock, Domain } from './clock.ts';
import { contentOf, sameContent } from './content.ts';
import type { Plane } from './plane.ts';
import type { PlaneResponse, ServerSocket } from './platform.ts';

/** How a client behaves. */
export interface Manners {
  latencyMs: number;
  /** Octets a second, both ways. */
  pace: number;
  /** In the middle of the answer it does not read for this long, ms. */
  stopMs: number;
  /** It goes away after this long, ms; null: it stays. */
  leaveMs: number | null;
  /** Then its request's content breaks first, and the rest is known a moment later. */
  breaksFirst: boolean;
  /** The request says its length. */
  sized: boolean;
  /** Messages of an upgrade, and their size. */
  messages: number;
}

/** What a person waits for a plane that does not answer at all, ms: curl and kubectl wait longer, and are told the same. */
const CONNECT_TIMEOUT_MS = 10_000;
const CHUNK_BYTES = 8 * 1024;

/** Between a broken content and the news that its client is gone, ms. */
const NOTICED_MS = 50;

/** How it ended, as the client could see it. */
export type Outcome =
  /** An answer, ended as whole. */
  | 'whole'
  /** A refusal or a broken answer: told. */
  | 'failed'
  /** The client went away. */
  | 'left';

/** One request of one client, and all that the client can know of it. */
export class Client {
  readonly plan: Plan;
  readonly manners: Manners;
  outcome: Outcome | null = null;
  why = '';
  endedAt = 0;
  /** When it last got on, as far as its client can see, ms. */
  progressAt: number;
  status: number | null = null;
  /** Octets of the answer; of an upgrade, messages. */
  received = 0;
  /** The object has begun to read the request's content, and has neither read all of it nor let it go. */
  reading = false;
  readonly problems: string[] = [];
  readonly #clock: Clock;
  readonly #domain: Domain;
  readonly #plane: Plane;
  readonly #gone = new AbortController();
  #tail = '';
  #socket: ServerSocket | null = null;
  #content: ReadableByteStreamController | null = null;
  #unsubscribe: () => void = () => undefined;

  constructor(clock: Clock, domain: Domain, plane: Plane, plan: Plan, manners: Manners) {
    this.#clock = clock;
    this.#domain = domain;
    this.#plane = plane;
    this.plan = plan;
    this.manners = manners;
    this.progressAt = clock.now;
    if (manners.leaveMs !== null) clock.after(manners.leaveMs, domain, () => this.leave());
    this.#run().catch((error: unknown) => this.#end('failed', describe(error)));
  }

  /** What the request's own plan, and its client, keep it waiting at a time, ms. */
  get ownMs(): number {
    const { plan, manners } = this;
    return plan.thinkMs + plan.stopMs + plan.everyMs + manners.stopMs + 4 * manners.latencyMs;
  }

  leave(): void {
    if (this.outcome !== null) return;
    this.#end('left', 'the client goes');
    if (this.manners.breaksFirst) {
      this.#plane.event(() => this.#content?.error(new Error('the client is gone')));
      this.reading = false;
    }
    this.#clock.after(this.manners.breaksFirst ? NOTICED_MS : 0, this.#domain, () => {
      this.#plane.event(() => {
        this.#gone.abort();
        this.#socket?.emit('close', { code: 1006, reason: '' });
      });
    });
  }

  async #run(): Promise<void> {
    const { plan, manners } = this;
    await this.#pause(manners.latencyMs);
    if (this.outcome !== null) return;
    if (this.#plane.reach !== 'up') {
      if (this.#plane.reach === 'hanging') await this.#pause(CONNECT_TIMEOUT_MS);
      this.#end('failed', 'the plane cannot be reached');
      return;
    }
    const upgrade = plan.kind === 'upgrade';
    const method = plan.kind === 'write' ? 'POST' : 'GET';
    const fields: Field[] = [['impersonate-user', 'u-a']];
    if (plan.kind === 'write' && manners.sized) fields.push(['content-length', String(plan.uploadBytes)]);
    const head = encodeRequestHead({ method, target: `/${plan.key}`, fields });
    // Also after the answer, while what was sent beside it is still read.
    this.#plane.life.onEnd(() => (this.reading = false));
    this.#unsubscribe = this.#plane.life.onEnd(() => {
      this.#end('failed', 'the object is gone');
      if (this.#socket !== null) this.#socket.dead = true;
    });
    const body = plan.kind === 'write' && plan.uploadBytes > 0 ? this.#upload() : null;
    let response: PlaneResponse;
    try {
      response = await this.#plane.request({ method, head, body, signal: this.#gone.signal, upgrade });
    } catch (error) {
      if (!(error instanceof OutriderError)) this.problems.push(`the object threw ${describe(error)}`);
      else if (error.code === 'tunnel_down' && this.#plane.serves)
        this.problems.push('no tunnel, it says, and there is one');
      throw error;
    }
    await this.#pause(manners.latencyMs);
    if (this.outcome !== null) {
      // The 101 finds nobody: what the runtime then tells the one who made it.
      this.#plane.event(() => response.webSocket?.emit('close', { code: 1006, reason: '' }));
      return;
    }
    this.status = response.status;
    this.progressAt = this.#clock.now;
    if (response.webSocket !== null) await this.#talk(response.webSocket);
    else await this.#read(response);
  }

  #upload(): ReadableStream<Uint8Array> {
    const { plan, manners } = this;
    let at = 0;
    return new ReadableStream(
      {
        type: 'bytes',
        start: (controller) => {
          this.#content = controller;
        },
        pull: async (controller) => {
          const size = Math.min(CHUNK_BYTES, plan.uploadBytes - at);
          await this.#pause((size * 1000) / manners.pace);
          if (this.outcome !== null) {
            controller.error(new Error('the client is gone'));
            this.reading = false;
            return;
          }
          this.progressAt = this.#clock.now;
          controller.enqueue(contentOf(plan.key, size, at));
          at += size;
          this.reading = at < plan.uploadBytes;
          if (this.reading) return;
          controller.close();
          controller.byobRequest?.respond(0);
        },
        cancel: () => {
          this.reading = false;
        },
      },
      { highWaterMark: 0 },
    );
  }

  async #read(response: PlaneResponse): Promise<void> {
    const { body } = response;
    if (body instanceof Uint8Array) this.#take(body);
    else if (body !== null) {
      const reader = body.getReader();
      this.#gone.signal.addEventListener('abort', () => void reader.cancel().catch(() => undefined));
      let stop = this.manners.stopMs;
      for (;;) {
        const { done, value } = await reader.read();
        if (this.outcome !== null) return;
        if (done) break;
        this.#take(value);
        await this.#pause((value.byteLength * 1000) / this.manners.pace + stop);
        if (this.outcome !== null) return;
        stop = 0;
      }
    }
    this.#end(this.status !== null && this.status < 400 ? 'whole' : 'failed', `status ${this.status}`);
  }

  #take(data: Uint8Array): void {
    const { plan } = this;
    this.progressAt = this.#clock.now;
    if (plan.kind === 'watch' && this.status === 200) this.#events(new TextDecoder().decode(data));
    else if (!sameContent(plan.key, this.received, data)) this.problems.push('content that was never sent');
    this.received += data.byteLength;
  }

  #events(text: string): void {
    this.#tail += text;
    let next = (this.received - (this.#tail.length - text.length)) / EVENT_BYTES;
    while (this.#tail.length >= EVENT_BYTES) {
      const event = Number(this.#tail.slice(0, EVENT_BYTES));
      this.#tail = this.#tail.slice(EVENT_BYTES);
      if (event !== next) this.problems.push(`event ${event} where ${next} was due`);
      next++;
    }
  }

  /** Sends messages that come back, and closes when all have. */
  async #talk(socket: ServerSocket): Promise<void> {
    const { plan, manners } = this;
    this.#socket = socket;
    const size = Math.ceil(plan.uploadBytes / manners.messages);
    socket.join({
      fromServer: (data) => this.#clock.after(manners.latencyMs, this.#domain, () => this.#echoed(socket, data, size)),
      closedByServer: (code) =>
        this.#clock.after(manners.latencyMs, this.#domain, () => {
          const whole = code === 1000 && this.received === manners.messages;
          if (code === 1000 && !whole) this.problems.push(`closed as if whole after ${this.received} messages`);
          this.#end(whole ? 'whole' : 'failed', `closed with ${code}`);
        }),
    });
    for (let message = 0; message < manners.messages; message++) {
      await this.#pause((size * 1000) / manners.pace);
      if (this.outcome !== null) return;
      const data = contentOf(plan.key, size, message).buffer;
      this.#plane.event(() => socket.emit('message', { data }));
    }
  }

  #echoed(socket: ServerSocket, data: string | Uint8Array, size: number): void {
    if (this.outcome !== null) return;
    const { plan, manners } = this;
    if (typeof data === 'string' || data.byteLength !== size || !sameContent(plan.key, this.received, data)) {
      this.problems.push(`message ${this.received} came back as another`);
    }
    this.received++;
    this.progressAt = this.#clock.now;
    if (this.received < manners.messages) return;
    this.#plane.event(() => socket.emit('close', { code: 1000, reason: '' }));
    // The client's half of the close; nothing more is owed to it.
    this.#end('whole', 'all came back');
  }

  #end(outcome: Outcome, why: string): void {
    if (this.outcome !== null) return;
    this.outcome = outcome;
    this.why = why;
    this.endedAt = this.#clock.now;
    this.#unsubscribe();
  }

  #pause(ms: number): Promise<void> {
    return this.#clock.sleep(ms, this.#domain);
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
