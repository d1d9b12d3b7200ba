import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { WebSocket } from 'ws';
import { decodeClose, encodeClose, isSendableCloseCode, NO_CLOSE_CODE } from '#schema/protocol/codec/close.ts';
import { ProtocolCode, ProtocolError } from '#schema/protocol/codec/codes.ts';
import { Flag } from '#schema/protocol/codec/frame.ts';
import { decodeRequestHead, encodeResponseHead, type Field, type RequestHead } from '#schema/protocol/codec/head.ts';
import { ACCEPT_AFTER_MS } from '#schema/protocol/limits.ts';
import type { Stream, StreamHandler } from '#schema/protocol/flow/stream.ts';
import { describeError } from '../../../log.ts';
import { connectApart } from '../../../kube/pool.ts';
import type { StreamMetrics } from '../../../metrics.ts';
import { fromRaw, responseFields, toWire, upgradeFields } from '../fields.ts';
import { refuse } from '../http.ts';
import { namesOf, reported } from '../report.ts';
import { judgeIdentity } from '../identity.ts';
import { Messages, type Whole } from './messages.ts';
import { offeredProtocols } from './subprotocols.ts';
import { type Fault, faultOf, mayAnswerForItself, NO_TOKEN, NOT_ACCEPTED, type Upstream } from '../upstream.ts';

/** Load balancers cut connections that are idle for a minute or more (AWS NLB 350 s, HAProxy's usual `timeout tunnel` 60 s), ms. */
const UPSTREAM_PING_MS = 25_000;

/**
 * Pings in a row on which nothing was heard, after which the API server is taken for dead. An API server whose pod does not read its input answers no ping either, so
 * this is longer than the 61 s that client-go waits (`tools/remotecommand/websocket.go`, pingReadDeadline).
 */
const MAX_UNHEARD_PINGS = 3;

/** One message from the API server: exec sends 32 KiB, port-forward its SPDY frames of at most 16 MiB (`moby/spdystream`). */
const MAX_UPSTREAM_MESSAGE_BYTES = 16 * 1024 * 1024;

/** RFC 6455 §7.4.1: the connection ended without a close frame. */
const ABNORMAL = 1006;

/** Serves an `upgrade` stream: a WebSocket to the API server (exec, attach, port-forward, cp), message by message. */
export function serveUpgrade(upstream: Upstream, stream: Stream, headBytes: Uint8Array, metrics: StreamMetrics): void {
  let head: RequestHead;
  let protocols: string[];
  try {
    head = decodeRequestHead(headBytes);
    if (head.method !== 'GET') throw new ProtocolError(ProtocolCode.PROTOCOL_ERROR, 'an upgrade is a GET');
    protocols = offeredProtocols(head.fields);
  } catch (error) {
    const known = error instanceof ProtocolError;
    refuse(stream, metrics, {
      code: known ? error.code : ProtocolCode.PROTOCOL_ERROR,
      reason: known ? error.message : 'head',
    });
    return;
  }
  const verdict = judgeIdentity(head.fields);
  if (!verdict.allowed) {
    upstream.log.warn('refused an identity that the plane asked for', { reason: verdict.reason, ...namesOf(head) });
    refuse(stream, metrics, { code: ProtocolCode.IDENTITY_REFUSED, reason: verdict.reason });
    return;
  }
  const exchange = new UpgradeExchange(upstream, stream, head, protocols, reported(upstream.log, head, metrics));
  stream.handler = exchange;
  exchange.begin().catch((error: unknown) => exchange.broke(error));
}

class UpgradeExchange implements StreamHandler {
  readonly #upstream: Upstream;
  readonly #stream: Stream;
  readonly #head: RequestHead;
  readonly #protocols: string[];
  readonly #metrics: StreamMetrics;
  readonly #acceptTimer: NodeJS.Timeout;
  #pingTimer: NodeJS.Timeout | undefined;
  /** Pings since anything was heard. */
  #unheard = 0;
  #token = '';
  /** A second token was tried. */
  #renewed = false;
  #socket: WebSocket | null = null;
  #connection: TLSSocket | null = null;
  /** An answer other than 101, which goes on as an ordinary response. */
  #answer: IncomingMessage | null = null;
  #connected = false;
  /** The request may have left. */
  #sent = false;
  /** The plane has closed its half. */
  #closing = false;
  /** From the plane. */
  readonly #messages: Messages;
  /** Fields of the 101, until the socket is open. */
  #upgradeFields: Field[] = [];
  #over = false;

  constructor(upstream: Upstream, stream: Stream, head: RequestHead, protocols: string[], metrics: StreamMetrics) {
    this.#upstream = upstream;
    this.#stream = stream;
    this.#head = head;
    this.#protocols = protocols;
    this.#metrics = metrics;
    this.#messages = new Messages(upstream.borrowed, (bytes) => stream.consumed(bytes));
    this.#acceptTimer = setTimeout(() => stream.accept(), ACCEPT_AFTER_MS);
  }

  async begin(): Promise<void> {
    const { api, proxy } = this.#upstream;
    const [ca, token] = await Promise.all([api.ca(), proxy.token().catch(() => null)]);
    if (this.#over) return;
    if (token === null) {
      this.#fail(NO_TOKEN);
      return;
    }
    const socket = new WebSocket(api.origin, {
      createConnection: () => {
        const connection = connectApart(api, ca);
        connection.once('secureConnect', () => {
          this.#sent = true;
        });
        this.#connection = connection;
        return connection;
      },
      followRedirects: false,
      perMessageDeflate: false,
      maxPayload: MAX_UPSTREAM_MESSAGE_BYTES,
      // Whether what a program prints is UTF-8 is for the ends to judge.
      skipUTF8Validation: true,
      finishRequest: (request) => {
        for (const [name, values] of this.#headers(token)) request.setHeader(name, values);
        // The target exactly as the client sent it: a URL object would normalise it.
        request.path = toWire(this.#head.target);
        request.end();
      },
    });
    this.#token = token;
    this.#socket = socket;
    socket.on('upgrade', (response) => this.#upgraded(socket, response));
    socket.on('open', () => this.#opened(socket));
    socket.on('unexpected-response', (_request, response) => this.#answered(socket, response));
    socket.on('message', (data: Buffer, binary) => this.#message(socket, data, binary));
    socket.on('pong', () => {
      this.#unheard = 0;
    });
    socket.on('close', (code, reason) => this.#closed(code, reason));
    socket.on('error', (error) => this.broke(error));
  }

  // From the plane.

  onData(data: Uint8Array, flags: number): void {
    const socket = this.#socket;
    if (!this.#connected || socket === null) {
      if (this.#answer === null) this.#fail({ code: ProtocolCode.PROTOCOL_ERROR, reason: 'DATA before the upgrade' });
      else this.#stream.consumed(data.byteLength);
      return;
    }
    let whole: Whole | null;
    try {
      whole = this.#messages.push(data, (flags & Flag.MESSAGE_END) !== 0);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#fail({ code: error.code, reason: error.message });
      return;
    }
    // The callback comes when the octets have left, or never will.
    if (whole !== null) socket.send(whole.message, { binary: (flags & Flag.TEXT) === 0 }, () => this.#left(whole));
  }

  #left(whole: Whole): void {
    try {
      whole.done();
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#fail({ code: error.code, reason: error.message });
    }
  }

  onEnd(payload: Uint8Array): void {
    const socket = this.#socket;
    if (!this.#connected || socket === null) return;
    const { code, reason } = decodeClose(payload);
    this.#closing = true;
    if (code === NO_CLOSE_CODE) socket.close();
    else if (isSendableCloseCode(code)) socket.close(code, reason);
    else socket.terminate();
  }

  onReset(code: number): void {
    if (!this.#finish()) return;
    this.#metrics.reset(code);
    this.#drop();
  }

  onWritable(): void {
    if (this.#answer !== null) this.#answer.resume();
    else if (this.#connected) this.#socket?.resume();
  }

  // From the API server.

  /** An error of the connection, before or after the upgrade. */
  broke(error: unknown): void {
    if (this.#over) return;
    const fault = faultOf(error, this.#sent);
    this.#upstream.log.warn('an upgrade failed', {
      reason: fault.reason,
      error: describeError(error),
      ...namesOf(this.#head),
    });
    this.#fail(fault);
  }

  /** The 101 before ws judges it. ws knows subprotocols by the letter of RFC 6455; `SPDY/3.1+portforward.k8s.io` is none, so this is judged here. */
  #upgraded(socket: WebSocket, response: IncomingMessage): void {
    const chosen = response.headers['sec-websocket-protocol'];
    const fits = chosen === undefined ? this.#protocols.length === 0 : this.#protocols.includes(chosen);
    if (!fits) {
      this.#fail({
        code: ProtocolCode.UPSTREAM_LOST,
        reason: 'the API server chose a subprotocol that was not offered',
      });
      socket.terminate();
      return;
    }
    delete response.headers['sec-websocket-protocol'];
    this.#upgradeFields = fromRaw(response.rawHeaders).filter(
      ([name]) => !/^sec-websocket-(accept|extensions)$/.test(name),
    );
  }

  #opened(socket: WebSocket): void {
    if (this.#over || !this.#answerHead(101, this.#upgradeFields)) return;
    this.#connected = true;
    this.#pingTimer = setInterval(() => this.#ping(socket), UPSTREAM_PING_MS);
  }

  #ping(socket: WebSocket): void {
    // While the plane takes nothing, nothing is read, and the answers wait with the rest.
    if (socket.isPaused) this.#unheard = 0;
    if (this.#unheard >= MAX_UNHEARD_PINGS) {
      socket.terminate();
      return;
    }
    this.#unheard++;
    socket.ping();
  }

  #answered(socket: WebSocket, response: IncomingMessage): void {
    if (this.#over) return;
    const status = response.statusCode ?? 502;
    if (status === 401 && !this.#mayPass401(socket)) return;
    this.#answer = response;
    if (!this.#answerHead(status, fromRaw(response.rawHeaders))) return;
    response.on('data', (chunk: Buffer) => {
      if (!this.#stream.write(chunk)) response.pause();
    });
    response.on('error', (error) => this.broke(error));
    response.on('end', () => {
      if (!this.#finish()) return;
      this.#stream.end();
      this.#metrics.answered(status);
      // A connection whose upgrade failed is never used again (CVE-2018-1002105). Not by the request: it takes itself for done.
      this.#connection?.destroy();
    });
  }

  /** As that of `http.ts`: a 401 is about the agent's token. Nothing was executed, so any upgrade may be tried again. */
  #mayPass401(socket: WebSocket): boolean {
    const another = this.#upstream.proxy.refused(this.#token);
    if (another && !this.#renewed) {
      this.#renewed = true;
      // What this one says from here on concerns nobody.
      socket.removeAllListeners();
      socket.on('error', () => undefined);
      this.#drop();
      this.#sent = false;
      this.begin().catch((error: unknown) => this.broke(error));
      return false;
    }
    if (mayAnswerForItself(this.#head.target)) return true;
    this.#upstream.log.error(NOT_ACCEPTED.reason);
    this.#fail(NOT_ACCEPTED);
    return false;
  }

  #message(socket: WebSocket, data: Buffer, binary: boolean): void {
    this.#unheard = 0;
    const flags = Flag.MESSAGE_END | (binary ? 0 : Flag.TEXT);
    if (!this.#stream.write(data, flags)) socket.pause();
  }

  #closed(code: number, reason: Buffer): void {
    if (!this.#connected) return;
    if (code === ABNORMAL && !this.#closing) {
      this.#fail({ code: ProtocolCode.UPSTREAM_LOST, reason: 'the API server cut the connection' });
      return;
    }
    if (!this.#finish()) return;
    const close = code === ABNORMAL ? { code: NO_CLOSE_CODE, reason: '' } : { code, reason: reason.toString('utf8') };
    this.#stream.end(encodeClose(close));
    this.#metrics.answered(101);
  }

  #headers(token: string): Map<string, string[]> {
    const headers = new Map([['authorization', [`Bearer ${token}`]]]);
    for (const [name, value] of upgradeFields(this.#head.fields)) {
      headers.set(name, [...(headers.get(name) ?? []), toWire(value)]);
    }
    if (this.#protocols.length > 0) headers.set('sec-websocket-protocol', [this.#protocols.join(', ')]);
    return headers;
  }

  /** False when the head cannot be carried. */
  #answerHead(status: number, fields: readonly Field[]): boolean {
    clearTimeout(this.#acceptTimer);
    try {
      this.#stream.head(encodeResponseHead({ status, fields: responseFields(fields) }));
    } catch {
      this.#fail({ code: ProtocolCode.UPSTREAM_LOST, reason: "the response's head cannot be carried" });
      return false;
    }
    this.#metrics.head(status);
    return true;
  }

  #fail(fault: Fault): void {
    if (!this.#finish()) return;
    refuse(this.#stream, this.#metrics, fault);
    this.#drop();
  }

  #drop(): void {
    this.#socket?.terminate();
    this.#connection?.destroy();
  }

  #finish(): boolean {
    if (this.#over) return false;
    this.#over = true;
    clearTimeout(this.#acceptTimer);
    clearInterval(this.#pingTimer);
    this.#messages.drop();
    return true;
  }
}
