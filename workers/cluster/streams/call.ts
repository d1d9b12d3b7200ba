import { OutriderError } from '#schema/errors.ts';
import { encodeCall } from '#schema/protocol/codec/call.ts';
import { ProtocolCode } from '#schema/protocol/codec/codes.ts';
import { StreamKind } from '#schema/protocol/codec/frame.ts';
import { decodeResponseHead } from '#schema/protocol/codec/head.ts';
import type { Stream } from '#schema/protocol/flow/stream.ts';
import { MAX_CALL_ANSWER_BYTES, MAX_QUESTION_BYTES } from '#schema/protocol/limits.ts';
import type { Pool } from '../tunnels/pool.ts';
import { ByteQueue } from './byte-queue.ts';
import { dispatch, mayRedispatch, StreamReset, type Exchange } from './dispatch.ts';

/** A question to the agent: its name (`schema/protocol/README.md`, "Calls"), what goes out as JSON, and how long its answer is waited for, ms. */
export interface Question {
  readonly name: string;
  readonly value: unknown;
  readonly deadline: number;
}

/**
 * Asks the agent that serves. What it says is the cluster's word: parse it.
 * @throws OutriderError tunnel_down, agent_outdated, agent_timeout, agent_failed, overloaded, too_large; tunnel_lost where it may have been asked.
 */
export async function ask(pool: Pool, question: Question): Promise<unknown> {
  const body = new TextEncoder().encode(JSON.stringify(question.value));
  if (body.byteLength > MAX_QUESTION_BYTES) {
    throw new OutriderError('too_large', `a question to an agent takes ${MAX_QUESTION_BYTES / 1024} KiB at most`);
  }
  const signal = AbortSignal.timeout(question.deadline);
  try {
    return await askOnce(pool, question, body, signal);
  } catch (error) {
    if (!mayRedispatch(error)) throw error;
    return await askOnce(pool, question, body, signal);
  }
}

async function askOnce(
  pool: Pool,
  { name, deadline }: Question,
  body: Uint8Array,
  signal: AbortSignal,
): Promise<unknown> {
  const call = new Call(signal);
  try {
    const head = encodeCall({ question: name, deadline });
    const stream = await dispatch(pool, call, { kind: StreamKind.CALL, head, fin: false, client: { signal } });
    // All of it is in the stream's first window, and goes with the OPEN.
    stream.write(body);
    stream.end();
    return await call.answer;
  } finally {
    call.over();
  }
}

/** One question and its answer, put together. */
class Call implements Exchange {
  stream: Stream | null = null;
  failure: OutriderError | null = null;
  readonly #signal: AbortSignal;
  readonly #answer = Promise.withResolvers<unknown>();
  readonly #content = new ByteQueue();
  #status = 0;
  readonly #late = (): void => {
    this.stream?.reset(ProtocolCode.CANCELLED, 'the deadline of the call passed');
    this.#fail(tooLate());
  };

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    // Where nothing could be dispatched it is not awaited.
    this.#answer.promise.catch(() => undefined);
    signal.addEventListener('abort', this.#late);
  }

  get answer(): Promise<unknown> {
    return this.#answer.promise;
  }

  over(): void {
    this.#signal.removeEventListener('abort', this.#late);
  }

  onHead(bytes: Uint8Array): void {
    try {
      this.#status = decodeResponseHead(bytes).status;
    } catch {
      this.#malformed('its answer has no status');
    }
  }

  onData(data: Uint8Array): void {
    this.stream?.consumed(data.byteLength);
    if (this.failure !== null) return;
    this.#content.push(data);
    if (this.#content.size > MAX_CALL_ANSWER_BYTES) this.#malformed('its answer is too long', ProtocolCode.LIMIT);
  }

  onEnd(): void {
    if (this.failure !== null) return;
    if (this.#status !== 200) {
      this.#fail(refusalOf(this.#status));
      return;
    }
    try {
      this.#answer.resolve(
        JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.#content.take())),
      );
    } catch {
      this.#fail(failed('its answer is not JSON'));
    }
  }

  onReset(code: number, reason: string): void {
    this.#fail(new StreamReset(code, reason));
  }

  onStalled(reason: string): void {
    this.#fail(failed(reason));
  }

  #malformed(why: string, code: ProtocolCode = ProtocolCode.PROTOCOL_ERROR): void {
    this.stream?.reset(code, why);
    this.#fail(failed(why));
  }

  #fail(error: OutriderError): void {
    this.failure ??= error;
    this.#answer.reject(this.failure);
  }
}

const failed = (why: string): OutriderError => new OutriderError('agent_failed', `the agent could not answer: ${why}`);
const tooLate = (): OutriderError => new OutriderError('agent_timeout', 'the agent did not answer in time; try again');

/** What a status other than 200 says. */
function refusalOf(status: number): OutriderError {
  if (status === 504) return tooLate();
  if (status === 404 || status === 400)
    return new OutriderError('agent_outdated', 'the agent of this cluster does not know this question; update it');
  return failed(`status ${status}; its log says more`);
}
