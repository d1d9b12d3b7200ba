import { Messages, type Whole } from '#agent/roles/cluster/upgrade/messages.ts';
import { encodeClose } from '#schema/protocol/codec/close.ts';
import { ProtocolCode, ProtocolError } from '#schema/protocol/codec/codes.ts';
import { Flag } from '#schema/protocol/codec/frame.ts';
import { decodeRequestHead, encodeResponseHead } from '#schema/protocol/codec/head.ts';
import { ACCEPT_AFTER_MS } from '#schema/protocol/limits.ts';
import type { Stream, StreamHandler } from '#schema/protocol/flow/stream.ts';
import type { Agent } from './agent.ts';
import type { ApiServer, Fate, Plan } from './api-server.ts';
import type { Clock } from './clock.ts';
import { contentOf } from './content.ts';

/** From the agent to the API server, ms. */
const HOP_MS = 0.3;

interface EchoDeps {
  clock: Clock;
  api: ApiServer;
  agent: Agent;
}

/** Serves an `upgrade` stream by the rules of `agent/roles/cluster/upgrade/upgrade.ts`, whose sockets need a network; what it leads to sends every message back. */
export function serveEcho(stream: Stream, head: Uint8Array, deps: EchoDeps): void {
  const { plan, fate } = deps.api.meet(decodeRequestHead(head).target.slice(1));
  stream.handler = new Echo(stream, plan, fate, deps);
}

class Echo implements StreamHandler {
  readonly #stream: Stream;
  readonly #plan: Plan;
  readonly #deps: EchoDeps;
  readonly #messages: Messages;
  readonly #acceptTimer: ReturnType<typeof setTimeout>;
  /** Messages on their way to the API server, each with its flags … */
  readonly #out: { whole: Whole; flags: number }[] = [];
  /** … and back. */
  readonly #back: { message: Uint8Array; flags: number }[] = [];
  #sending = false;
  #paused = false;
  #connected = false;
  #closing = false;
  #over = false;
  /** Messages until the connection breaks. */
  #left: number;

  constructor(stream: Stream, plan: Plan, fate: Fate, deps: EchoDeps) {
    this.#stream = stream;
    this.#plan = plan;
    this.#deps = deps;
    this.#left = fate === 'lost-amid' || fate === 'lost-after' ? 3 : Number.POSITIVE_INFINITY;
    this.#messages = new Messages(deps.agent.budget, (bytes) => stream.consumed(bytes));
    this.#acceptTimer = setTimeout(() => stream.accept(), ACCEPT_AFTER_MS);
    this.#later(HOP_MS + plan.thinkMs, () => this.#answer(fate));
  }

  onData(data: Uint8Array, flags: number): void {
    if (!this.#connected) {
      this.#stream.consumed(data.byteLength);
      return;
    }
    try {
      const whole = this.#messages.push(data, (flags & Flag.MESSAGE_END) !== 0);
      if (whole === null) return;
      this.#out.push({ whole, flags: flags & (Flag.MESSAGE_END | Flag.TEXT) });
      this.#send();
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#fail(error.code, error.message);
    }
  }

  onEnd(): void {
    this.#closing = true;
    this.#closeIfDone();
  }

  onReset(): void {
    this.#finish();
  }

  onWritable(): void {
    this.#paused = false;
    this.#return();
  }

  #answer(fate: Fate): void {
    clearTimeout(this.#acceptTimer);
    if (this.#over) return;
    if (fate === 'refused') this.#fail(ProtocolCode.UPSTREAM_UNREACHABLE, 'the API server cannot be reached');
    else if (fate === 'lost-before') this.#fail(ProtocolCode.UPSTREAM_LOST, 'the API server cut the connection');
    else if (fate === 'early') {
      this.#stream.head(encodeResponseHead({ status: 403, fields: [] }));
      this.#stream.write(contentOf(this.#plan.key, 64));
      this.#finish();
      this.#stream.end();
    } else {
      this.#stream.head(encodeResponseHead({ status: 101, fields: [] }));
      this.#connected = true;
    }
  }

  #send(): void {
    const next = this.#out[0];
    if (this.#sending || next === undefined) return;
    this.#sending = true;
    this.#later(HOP_MS + (next.whole.message.byteLength * 1000) / this.#plan.pace, () => {
      this.#sending = false;
      this.#out.shift();
      if (this.#over) return;
      next.whole.done();
      this.#back.push({ message: next.whole.message, flags: next.flags });
      if (--this.#left <= 0) {
        this.#fail(ProtocolCode.UPSTREAM_LOST, 'the API server cut the connection');
        return;
      }
      this.#return();
      this.#send();
    });
  }

  #return(): void {
    while (!this.#over && !this.#paused) {
      const next = this.#back.shift();
      if (next === undefined) break;
      this.#paused = !this.#stream.write(next.message, next.flags);
    }
    this.#closeIfDone();
  }

  #closeIfDone(): void {
    if (!this.#closing || !this.#connected || this.#out.length + this.#back.length > 0 || !this.#finish()) return;
    this.#stream.end(encodeClose({ code: 1000, reason: '' }));
  }

  #fail(code: ProtocolCode, reason: string): void {
    if (this.#finish()) this.#stream.reset(code, reason);
  }

  #finish(): boolean {
    if (this.#over) return false;
    this.#over = true;
    clearTimeout(this.#acceptTimer);
    for (const { whole } of this.#out.splice(0)) whole.done();
    this.#messages.drop();
    return true;
  }

  #later(ms: number, run: () => void): void {
    this.#deps.clock.after(ms, this.#deps.agent.domain, run);
  }
}
