import type { Dispatcher } from 'undici';
import type { Clock, Domain } from './clock.ts';
import { contentOf, sameContent } from './content.ts';

/** What becomes of a request at the API server. Only the first attempt meets it: an agent may repeat what has no effect. */
export type Fate =
  | 'fine'
  /** The connection is refused: nothing was sent. */
  | 'refused'
  /** The connection breaks once the request was sent, and nothing was executed. */
  | 'lost-before'
  /** It was executed, and the connection breaks before the answer. */
  | 'lost-after'
  /** The connection breaks in the middle of the answer. */
  | 'lost-amid'
  /** An answer comes before the request's content was read; nothing is executed. */
  | 'early';

/** What the API server knows to do for a request, by its key. */
export interface Plan {
  key: string;
  kind: 'get' | 'write' | 'watch' | 'upgrade';
  fate: Fate;
  /** Octets of the request's content. */
  uploadBytes: number;
  /** Octets of the answer's content. */
  answerBytes: number;
  /** The answer's head says its length. */
  sized: boolean;
  /** From the request's last octet to the answer's first, ms. */
  thinkMs: number;
  /** Octets a second, both ways. */
  pace: number;
  /** In the middle of the request's content it is not read for this long, ms. */
  stopMs: number;
  /** Watches: an event each so many ms, for so long. */
  everyMs: number;
  forMs: number;
}

/** An event of a watch: its number, in so many octets. */
export const EVENT_BYTES = 16;

/** Pieces in which the API server writes an answer, octets. */
const CHUNK_BYTES = 16 * 1024;

/** A connection to the API server of one cluster is a fraction of a millisecond away. */
const HOP_MS = 0.3;

type Handler = Dispatcher.DispatchHandler;
type Controller = Dispatcher.DispatchController & { rawHeaders: Buffer[] };

/** The cluster's API server, and the witness: it knows everything that was executed. */
export class ApiServer {
  down = false;
  readonly plans = new Map<string, Plan>();
  /** Executions of writes, by key. */
  readonly executed = new Map<string, number>();
  /** Events written into watches, by key. */
  readonly emitted = new Map<string, number>();
  readonly problems: string[] = [];
  readonly #clock: Clock;
  readonly #domain: Domain;
  readonly #calls = new Set<Call>();
  readonly #attempts = new Map<string, number>();

  constructor(clock: Clock, domain: Domain) {
    this.#clock = clock;
    this.#domain = domain;
  }

  /** Requests under way. */
  get open(): number {
    return this.#calls.size;
  }

  /** The agent's HTTP client, in undici's place. */
  clientOf(agent: Domain): Dispatcher {
    const dispatch = (options: Dispatcher.DispatchOptions, handler: Handler): boolean => {
      const call = new Call(this.#clock, agent, this.#domain, options, handler);
      this.#calls.add(call);
      void this.#serve(call).finally(() => this.#calls.delete(call));
      return true;
    };
    return { dispatch } as unknown as Dispatcher;
  }

  /** Breaks every connection. */
  cut(): void {
    for (const call of this.#calls) call.break('UND_ERR_SOCKET');
  }

  /** The agent's process is gone, and its connections with it. */
  forget(agent: Domain): void {
    for (const call of this.#calls) if (call.agent === agent) call.gone = true;
    for (const call of this.#calls) if (call.agent === agent) this.#calls.delete(call);
  }

  /** An attempt at a request; tells its fate. */
  meet(key: string): { plan: Plan; fate: Fate } {
    const plan = this.plans.get(key);
    if (plan === undefined) throw new Error(`nobody sent ${key}`);
    const attempt = this.#attempts.get(key) ?? 0;
    this.#attempts.set(key, attempt + 1);
    return { plan, fate: this.down ? 'refused' : attempt === 0 ? plan.fate : 'fine' };
  }

  async #serve(call: Call): Promise<void> {
    const { plan, fate } = this.meet(call.key);
    await call.pause(HOP_MS);
    if (fate === 'refused') {
      call.break('ECONNREFUSED');
      return;
    }
    if (!call.start()) return;
    if (fate === 'early') {
      await call.answer(413, contentOf(plan.key, 64), plan, true);
      return;
    }
    const content = await call.content(plan);
    if (content === null) return;
    await call.pause(HOP_MS + plan.thinkMs);
    if (fate === 'lost-before') {
      call.break('ECONNRESET');
      return;
    }
    // What was sent in full is executed, whoever has gone meanwhile.
    if (plan.kind === 'write' && !call.aborted) this.#execute(plan, content);
    if (fate === 'lost-after') {
      call.break('ECONNRESET');
      return;
    }
    if (plan.kind === 'watch') {
      await this.#watch(call, plan, fate);
      return;
    }
    const status = plan.kind === 'write' ? 201 : 200;
    await call.answer(status, contentOf(plan.key, plan.answerBytes), plan, fate !== 'lost-amid');
  }

  #execute(plan: Plan, content: Uint8Array): void {
    this.executed.set(plan.key, (this.executed.get(plan.key) ?? 0) + 1);
    if (!sameContent(plan.key, 0, content) || content.byteLength !== plan.uploadBytes) {
      this.problems.push(`${plan.key}: executed with content that was not sent`);
    }
  }

  async #watch(call: Call, plan: Plan, fate: Fate): Promise<void> {
    this.emitted.set(plan.key, 0);
    if (!call.head(200, null)) return;
    const count = Math.floor(plan.forMs / plan.everyMs);
    for (let event = 0; event < count; event++) {
      await call.pause(plan.everyMs);
      if (fate === 'lost-amid' && event === count >> 1) call.break('UND_ERR_SOCKET');
      if (call.over) return;
      this.emitted.set(plan.key, event + 1);
      await call.write(Buffer.from(`${event}\n`.padStart(EVENT_BYTES)));
    }
    call.end();
  }
}

/** One request on its connection. Its handler's verbs are events of the agent's. */
class Call {
  readonly agent: Domain;
  readonly key: string;
  readonly #clock: Clock;
  readonly #domain: Domain;
  readonly #options: Dispatcher.DispatchOptions;
  readonly #handler: Handler;
  readonly #controller: Controller;
  aborted = false;
  gone = false;
  #started = false;
  #ended = false;
  #paused = false;
  #resume: (() => void) | null = null;

  constructor(clock: Clock, agent: Domain, domain: Domain, options: Dispatcher.DispatchOptions, handler: Handler) {
    this.#clock = clock;
    this.agent = agent;
    this.#domain = domain;
    this.#options = options;
    this.#handler = handler;
    this.key = options.path.slice(1);
    this.#controller = {
      rawHeaders: [],
      rawTrailers: null,
      abort: (reason: Error) => {
        if (this.over) return;
        this.aborted = true;
        this.#verb(() => handler.onResponseError?.(this.#controller, reason));
        this.#go();
      },
      pause: () => {
        this.#paused = true;
      },
      resume: () => {
        this.#paused = false;
        this.#go();
      },
    } as unknown as Controller;
  }

  /** Nothing more is said on it. */
  get over(): boolean {
    return this.aborted || this.gone || this.#ended;
  }

  pause(ms: number): Promise<void> {
    return this.#clock.sleep(ms, this.#domain);
  }

  /** False when nobody wants it any more. */
  start(): boolean {
    if (this.over) return false;
    this.#started = true;
    this.#clock.domain = this.agent;
    this.#handler.onRequestStart?.(this.#controller, {});
    return !this.over;
  }

  break(code: string): void {
    if (this.over) return;
    this.#ended = true;
    const error = Object.assign(new Error(`${code}${this.#started ? ' after the start' : ''}`), { code });
    this.#verb(() => this.#handler.onResponseError?.(this.#controller, error));
    this.#go();
  }

  /** The request's content; null when it never came in full. */
  async content(plan: Plan): Promise<Uint8Array | null> {
    const { body } = this.#options;
    if (body === null || body === undefined) return new Uint8Array(0);
    if (body instanceof Uint8Array) return body;
    const chunks: Uint8Array[] = [];
    let stop = plan.stopMs;
    try {
      for await (const chunk of body as AsyncIterable<Uint8Array>) {
        if (this.over) return null;
        chunks.push(chunk);
        await this.pause((chunk.byteLength * 1000) / plan.pace + stop);
        stop = 0;
      }
    } catch {
      if (!this.over) this.aborted = true;
      return null;
    }
    const content = Buffer.concat(chunks);
    const declared = this.#declared;
    if (declared !== null && declared !== content.byteLength) this.break('UND_ERR_REQ_CONTENT_LENGTH_MISMATCH');
    return this.over ? null : content;
  }

  /** The length that the request says; null: none. */
  get #declared(): number | null {
    const fields = this.#options.headers;
    if (!Array.isArray(fields)) return null;
    const at = fields.indexOf('content-length');
    return at < 0 ? null : Number(fields[at + 1]);
  }

  /** Answers; not `whole`: the connection breaks half-way. */
  async answer(status: number, content: Uint8Array, plan: Plan, whole: boolean): Promise<void> {
    if (!this.head(status, plan.sized ? content.byteLength : null)) return;
    const until = whole ? content.byteLength : content.byteLength >> 1;
    for (let at = 0; at < until; at += CHUNK_BYTES) {
      const chunk = content.subarray(at, Math.min(until, at + CHUNK_BYTES));
      await this.pause((chunk.byteLength * 1000) / plan.pace);
      if (!(await this.write(chunk))) return;
    }
    if (whole) this.end();
    else this.break('UND_ERR_SOCKET');
  }

  head(status: number, length: number | null): boolean {
    if (this.over) return false;
    const fields = length === null ? [] : ['content-length', String(length)];
    this.#controller.rawHeaders = fields.map((text) => Buffer.from(text));
    this.#clock.domain = this.agent;
    this.#handler.onResponseStart?.(this.#controller, status, {}, '');
    return !this.over;
  }

  /** False: nobody reads it any more. */
  async write(chunk: Uint8Array): Promise<boolean> {
    while (this.#paused && !this.over) await new Promise<void>((resolve) => (this.#resume = resolve));
    if (this.over) return false;
    this.#clock.domain = this.agent;
    this.#handler.onResponseData?.(this.#controller, Buffer.from(chunk));
    return true;
  }

  end(): void {
    if (this.over) return;
    this.#ended = true;
    this.#clock.domain = this.agent;
    this.#handler.onResponseEnd?.(this.#controller, {});
  }

  #verb(say: () => void): void {
    this.#clock.after(0, this.agent, say);
  }

  #go(): void {
    const resume = this.#resume;
    this.#resume = null;
    resume?.();
  }
}
