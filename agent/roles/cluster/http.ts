import type { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { ProtocolCode, ProtocolError } from '#schema/protocol/codec/codes.ts';
import { decodeRequestHead, encodeResponseHead, type RequestHead } from '#schema/protocol/codec/head.ts';
import { ACCEPT_AFTER_MS } from '#schema/protocol/limits.ts';
import type { Stream, StreamHandler } from '#schema/protocol/flow/stream.ts';
import { describeError } from '../../log.ts';
import type { StreamMetrics } from '../../metrics.ts';
import { RequestBody } from './body.ts';
import { contentLength, fromRaw, requestFields, responseFields, toWire } from './fields.ts';
import { judgeIdentity } from './identity.ts';
import { namesOf, reported } from './report.ts';
import {
  errorCode,
  type Fault,
  faultOf,
  mayAnswerForItself,
  NO_TOKEN,
  NOT_ACCEPTED,
  type Upstream,
} from './upstream.ts';

/** Requests without effect, which may be sent a second time when a kept connection turns out to be dead (RFC 9110 §9.2.2). */
const SAFE_METHODS = new Set(['GET', 'HEAD']);

/** How a kept connection that the API server closed shows itself. */
const STALE = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']);

/**
 * A body that is here and no larger goes out in one piece with its head. What is taken gives its credit back while a connection is still being made, so what all
 * streams together may take at once is bounded by this: 32 MiB with 2,048 of them.
 */
const WHOLE_BODY_BYTES = 16 * 1024;

const CANCELLED = new Error('cancelled by the plane');
const FINISHED = new Error('the response is complete');

/** Serves an `http` stream: one request to the API server and its response, bodies streaming both ways within credit. */
export function serveHttp(upstream: Upstream, stream: Stream, headBytes: Uint8Array, metrics: StreamMetrics): void {
  let head: RequestHead;
  try {
    head = decodeRequestHead(headBytes);
  } catch (error) {
    refuse(stream, metrics, {
      code: ProtocolCode.PROTOCOL_ERROR,
      reason: error instanceof ProtocolError ? error.message : 'head',
    });
    return;
  }
  const verdict = judgeIdentity(head.fields);
  if (!verdict.allowed) {
    upstream.log.warn('refused an identity that the plane asked for', { reason: verdict.reason, ...namesOf(head) });
    refuse(stream, metrics, { code: ProtocolCode.IDENTITY_REFUSED, reason: verdict.reason });
    return;
  }
  const exchange = new HttpExchange(upstream, stream, head, reported(upstream.log, head, metrics));
  stream.handler = exchange;
  // A body that came in the same message is here by then, so that a small request goes out as a whole.
  queueMicrotask(() => exchange.begin());
}

/** Resets a stream that was not served. */
export function refuse(stream: Stream, metrics: StreamMetrics, { code, reason }: Fault): void {
  stream.reset(code, reason);
  metrics.reset(code);
}

class HttpExchange implements StreamHandler, Dispatcher.DispatchHandler {
  readonly #upstream: Upstream;
  readonly #stream: Stream;
  readonly #head: RequestHead;
  readonly #metrics: StreamMetrics;
  readonly #body: RequestBody;
  readonly #acceptTimer: NodeJS.Timeout;
  #controller: Dispatcher.DispatchController | null = null;
  /** Octets of the request may have left. */
  #sent = false;
  #retried = false;
  /** Of the request that was sent last. */
  #token = '';
  /** A second token was tried. */
  #renewed = false;
  /** The answer that is coming is a 401 to a token that is replaced; the request goes out again once it has come. */
  #repeating = false;
  /** 0 until the head has come. */
  #status = 0;
  #over = false;

  constructor(upstream: Upstream, stream: Stream, head: RequestHead, metrics: StreamMetrics) {
    this.#upstream = upstream;
    this.#stream = stream;
    this.#head = head;
    this.#metrics = metrics;
    this.#body = new RequestBody((bytes) => stream.consumed(bytes));
    this.#acceptTimer = setTimeout(() => stream.accept(), ACCEPT_AFTER_MS);
  }

  begin(): void {
    if (this.#over) return;
    const token = this.#upstream.proxy.current();
    if (token !== null) {
      this.#dispatch(token);
      return;
    }
    this.#upstream.proxy.token().then(
      (fresh) => this.#dispatch(fresh),
      (error: unknown) => {
        this.#upstream.log.error('no token for the impersonating account', { error: describeError(error) });
        this.#fail(NO_TOKEN);
      },
    );
  }

  // From the plane.

  onData(data: Uint8Array): void {
    this.#body.push(data);
  }

  onEnd(): void {
    this.#body.end();
  }

  onReset(code: number): void {
    if (!this.#finish()) return;
    this.#metrics.reset(code);
    this.#body.fail(CANCELLED);
    this.#controller?.abort(CANCELLED);
  }

  onWritable(): void {
    this.#controller?.resume();
  }

  // From the API server.

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#over) {
      controller.abort(CANCELLED);
      return;
    }
    this.#sent = true;
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    // 1xx answers precede the answer.
    if (status < 200) return;
    if (status === 401 && !this.#mayPass401(controller)) return;
    clearTimeout(this.#acceptTimer);
    const raw = Array.isArray(controller.rawHeaders) ? controller.rawHeaders : [];
    let head: Uint8Array;
    try {
      head = encodeResponseHead({ status, fields: responseFields(fromRaw(raw)) });
    } catch (error) {
      const code =
        error instanceof ProtocolError && error.code === ProtocolCode.LIMIT ? error.code : ProtocolCode.UPSTREAM_LOST;
      this.#fail({ code, reason: "the response's head cannot be carried" });
      controller.abort(FINISHED);
      return;
    }
    this.#status = status;
    this.#metrics.head(status);
    this.#stream.head(head);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    if (this.#repeating) return;
    if (!this.#stream.write(chunk)) controller.pause();
  }

  onResponseEnd(): void {
    if (this.#repeating) {
      this.#repeat();
      return;
    }
    if (!this.#finish()) return;
    this.#stream.end();
    this.#metrics.answered(this.#status);
    // The plane may still be sending a body that was answered early: it flows away.
    if (this.#body.ended) this.#body.discard();
    else this.#body.fail(FINISHED);
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (this.#over) return;
    if (this.#repeating || this.#mayRetry(error)) {
      this.#retried ||= !this.#repeating;
      this.#repeat();
      return;
    }
    const fault = faultOf(error, this.#sent);
    this.#upstream.log.warn('a request failed', {
      reason: fault.reason,
      error: describeError(error),
      ...namesOf(this.#head),
    });
    this.#fail(fault);
  }

  /** Without effect and without body: the only kind that may be sent again. */
  get #repeatable(): boolean {
    return SAFE_METHODS.has(this.#head.method) && this.#body.ended && this.#body.empty;
  }

  /** A kept connection may have been closed while the request was on its way. */
  #mayRetry(error: Error): boolean {
    return this.#sent && !this.#retried && this.#status === 0 && this.#repeatable && STALE.has(errorCode(error));
  }

  #repeat(): void {
    this.#repeating = false;
    this.#sent = false;
    this.#controller = null;
    queueMicrotask(() => this.begin());
  }

  /** The API server authenticates the agent and nobody else, so its 401 is about the agent's token. False: it was dealt with here. */
  #mayPass401(controller: Dispatcher.DispatchController): boolean {
    const another = this.#upstream.proxy.refused(this.#token);
    if (another && this.#repeatable && !this.#renewed) {
      this.#renewed = true;
      this.#repeating = true;
      return false;
    }
    if (mayAnswerForItself(this.#head.target)) return true;
    this.#upstream.log.error(NOT_ACCEPTED.reason);
    this.#fail(NOT_ACCEPTED);
    controller.abort(FINISHED);
    return false;
  }

  #dispatch(token: string): void {
    if (this.#over) return;
    const { method, target, fields } = this.#head;
    const declared = contentLength(fields);
    const { ended: complete, size } = this.#body;
    if (declared === false || (complete && declared !== null && declared !== size)) {
      this.#fail({ code: ProtocolCode.PROTOCOL_ERROR, reason: 'the body is not as long as its Content-Length' });
      return;
    }
    this.#token = token;
    const headers = ['authorization', `Bearer ${token}`];
    for (const [name, value] of requestFields(fields)) {
      // One is enough, and undici refuses a second.
      if (name !== 'content-length') headers.push(name, toWire(value));
    }
    const length = declared ?? (complete && size > 0 ? size : null);
    if (length !== null) headers.push('content-length', String(length));
    const small = complete && size <= WHOLE_BODY_BYTES;
    const body = !small ? this.#body : size > 0 ? this.#body.takeAll() : null;
    this.#upstream.pool.dispatch(
      {
        path: toWire(target),
        method,
        headers,
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- undici takes any async iterable, its types name only streams
        body: body as Readable | Buffer | null,
        // A kept connection stays good after DELETE with a body and after HEAD: the API server is no broken server.
        reset: false,
      },
      this,
    );
  }

  #fail(fault: Fault): void {
    if (!this.#finish()) return;
    this.#body.fail(FINISHED);
    refuse(this.#stream, this.#metrics, fault);
  }

  /** False when the exchange was over before. */
  #finish(): boolean {
    if (this.#over) return false;
    this.#over = true;
    clearTimeout(this.#acceptTimer);
    return true;
  }
}
