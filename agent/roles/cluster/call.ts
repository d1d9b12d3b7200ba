import { decodeCall, type CallHead } from '#schema/protocol/codec/call.ts';
import { ProtocolCode, ProtocolError } from '#schema/protocol/codec/codes.ts';
import { encodeResponseHead } from '#schema/protocol/codec/head.ts';
import type { Stream, StreamHandler } from '#schema/protocol/flow/stream.ts';
import { ACCEPT_AFTER_MS, MAX_CALL_ANSWER_BYTES, MAX_QUESTION_BYTES } from '#schema/protocol/limits.ts';
import { describeError, type Logger } from '../../log.ts';
import type { StreamMetrics } from '../../metrics.ts';
import { refuse } from './http.ts';
import { BadQuestion, type Responder } from './responder.ts';
import type { Upstream } from './upstream.ts';

/** Each question holds its octets and what answers it, and may hold a connection: memory is what is scarce here. */
const MAX_QUESTIONS = 16;

/** The questions under way of one agent. */
export class Questions {
  readonly #responders: ReadonlyMap<string, Responder>;
  #open = 0;

  constructor(responders: ReadonlyMap<string, Responder>) {
    this.#responders = responders;
  }

  responder(question: string): Responder | null {
    return this.#responders.get(question) ?? null;
  }

  /** False: too many are under way. Else call {@link Questions.leave} once. */
  enter(): boolean {
    if (this.#open >= MAX_QUESTIONS) return false;
    this.#open++;
    return true;
  }

  leave(): void {
    this.#open--;
  }
}

/** Serves a `call` stream: one question of the plane's and its answer. What is asked is never logged: it may hold a password. */
export function serveCall(upstream: Upstream, stream: Stream, headBytes: Uint8Array, metrics: StreamMetrics): void {
  let head: CallHead;
  try {
    head = decodeCall(headBytes);
  } catch (error) {
    const reason = error instanceof ProtocolError ? error.message : 'head';
    refuse(stream, metrics, { code: ProtocolCode.PROTOCOL_ERROR, reason });
    return;
  }
  if (!upstream.questions.enter()) {
    refuse(stream, metrics, { code: ProtocolCode.OVERLOADED, reason: 'too many questions at once' });
    return;
  }
  stream.handler = new Call(upstream, stream, head, metrics);
}

class Call implements StreamHandler {
  readonly #questions: Questions;
  readonly #log: Logger;
  readonly #stream: Stream;
  readonly #head: CallHead;
  readonly #metrics: StreamMetrics;
  readonly #parts: Uint8Array[] = [];
  #size = 0;
  /** Aborts what answers: the plane gave up, or the deadline passed. */
  readonly #given = new AbortController();
  readonly #acceptTimer: NodeJS.Timeout;
  readonly #deadlineTimer: NodeJS.Timeout;
  #over = false;

  constructor({ questions, log }: Upstream, stream: Stream, head: CallHead, metrics: StreamMetrics) {
    this.#questions = questions;
    this.#log = log;
    this.#stream = stream;
    this.#head = head;
    this.#metrics = metrics;
    this.#acceptTimer = setTimeout(() => stream.accept(), ACCEPT_AFTER_MS);
    this.#deadlineTimer = setTimeout(() => this.#answer(504), head.deadline);
  }

  onData(data: Uint8Array): void {
    this.#stream.consumed(data.byteLength);
    if (this.#over) return;
    this.#size += data.byteLength;
    if (this.#size > MAX_QUESTION_BYTES) {
      this.#finish();
      refuse(this.#stream, this.#metrics, { code: ProtocolCode.LIMIT, reason: 'the question is too long' });
      return;
    }
    this.#parts.push(data);
  }

  onEnd(): void {
    if (!this.#over) void this.#respond();
  }

  onReset(code: number): void {
    if (!this.#finish()) return;
    this.#metrics.reset(code);
  }

  async #respond(): Promise<void> {
    const responder = this.#questions.responder(this.#head.question);
    if (responder === null) {
      this.#answer(404);
      return;
    }
    try {
      const question: unknown = parse(Buffer.concat(this.#parts));
      this.#parts.length = 0;
      this.#answer(200, await responder(question, this.#given.signal));
    } catch (error) {
      // After the end there is nobody to tell, and an abort is no fault.
      if (this.#over) return;
      const bad = error instanceof BadQuestion;
      if (!bad) this.#log.error('a question failed', { question: this.#head.question, error: describeError(error) });
      this.#answer(bad ? 400 : 500);
    }
  }

  #answer(status: number, value?: unknown): void {
    if (!this.#finish()) return;
    const body = value === undefined ? null : Buffer.from(JSON.stringify(value));
    if (body !== null && body.byteLength > MAX_CALL_ANSWER_BYTES) {
      refuse(this.#stream, this.#metrics, { code: ProtocolCode.LIMIT, reason: 'the answer is too long' });
      return;
    }
    this.#metrics.head(status);
    this.#stream.head(encodeResponseHead({ status, fields: [] }), body === null);
    if (body !== null) {
      this.#stream.write(body);
      this.#stream.end();
    }
    this.#metrics.answered(status);
  }

  /** False when the call was over before. */
  #finish(): boolean {
    if (this.#over) return false;
    this.#over = true;
    this.#parts.length = 0;
    clearTimeout(this.#acceptTimer);
    clearTimeout(this.#deadlineTimer);
    this.#given.abort();
    this.#questions.leave();
    return true;
  }
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new BadQuestion();
  }
}
