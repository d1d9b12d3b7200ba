import { webcrypto } from 'node:crypto';
import { EventEmitter } from 'node:events';
import type { Dispatcher } from 'undici';
import { vi } from 'vitest';
import type { WebSocket } from 'ws';
import { Account } from '#agent/kube/accounts.ts';
import { createLogger } from '#agent/log.ts';
import { AgentMetrics } from '#agent/metrics.ts';
import { Questions } from '#agent/roles/cluster/call.ts';
import { Budget } from '#agent/roles/cluster/upgrade/messages.ts';
import { CAPABILITIES, streamServer } from '#agent/roles/cluster/serve.ts';
import { Tunnel } from '#agent/tunnel/tunnel.ts';
import { CLOSE_CODE_BASE, ProtocolCode } from '#schema/protocol/codec/codes.ts';
import { ACCEPT_AFTER_MS, AGENT_LIMITS, type SessionLimits } from '#schema/protocol/limits.ts';
import { FrameType } from '#schema/protocol/codec/frame.ts';
import { naiveRead } from '../../conformance/support/naive.ts';
import type { Dice } from '../make/dice.ts';
import { generate } from '../make/generate.ts';
import { countFrames, mutate } from '../make/mutate.ts';
import { Peer } from '../make/peer.ts';
import { Referee } from '../judge/referee.ts';
import { Fault } from '../judge/seen.ts';
import { Wire } from '../judge/wire.ts';
import { challenge, lie, requestHead, settled } from '../make/words.ts';
import type { Life } from './lives.ts';
import { turn, words } from './turn.ts';

const PLANE: SessionLimits = { streamWindow: 65_536, sessionWindow: 262_144, maxStreams: 64 };

/** The codes with which a socket may be closed on purpose: 4000 + a code from the wire, or 1000. */
const HIGHEST_CLOSE = CLOSE_CODE_BASE + 999;

/** What an agent signs its HELLO with. */
export async function agentKey(): Promise<webcrypto.CryptoKey> {
  const pair = await webcrypto.subtle.generateKey('Ed25519', true, ['sign', 'verify']);
  if (!('privateKey' in pair)) throw new Error('not a pair');
  return pair.privateKey;
}

/** As much of a `ws` socket as a tunnel uses. */
class Socket extends EventEmitter {
  readonly OPEN = 1;
  readyState = 1;
  bufferedAmount = 0;
  readonly closes: number[] = [];
  readonly sent: Uint8Array[] = [];

  resume(): void {
    // It was never paused.
  }
  send(message: Uint8Array | string, done?: () => void): void {
    if (this.readyState !== 1) return;
    if (typeof message !== 'string') this.sent.push(message);
    if (done !== undefined) setImmediate(done);
  }
  close(code: number): void {
    this.closes.push(code);
    this.#end(code);
  }
  terminate(): void {
    this.#end(1006);
  }
  #end(code: number): void {
    if (this.readyState !== 1) return;
    this.readyState = 3;
    setImmediate(() => this.emit('close', code, Buffer.alloc(0)));
  }
}

/** An API server behind undici's interface: answers, is slow, breaks. */
class Pool {
  /** Requests that have heard no end. */
  open = 0;
  answered = 0;
  readonly #dice: Dice;

  constructor(dice: Dice) {
    this.#dice = dice;
  }

  dispatch({ body }: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    this.open++;
    let aborted: Error | null = null;
    const controller = {
      rawHeaders: ['Content-Type', 'text/plain', 'X-A', 'é'],
      paused: false,
      pause() {
        this.paused = true;
      },
      resume() {
        this.paused = false;
      },
      abort: (reason: Error) => (aborted ??= reason),
    };
    const dice = this.#dice;
    const give = async (): Promise<void> => {
      const stopped = (): boolean => aborted !== null;
      await turn();
      const real = controller as unknown as Dispatcher.DispatchController;
      handler.onRequestStart?.(real, null);
      try {
        if (body !== null && !Buffer.isBuffer(body))
          for await (const _chunk of body as AsyncIterable<Uint8Array>) await turn();
        if (dice.chance(0.1))
          throw Object.assign(new Error('broken'), { code: dice.pick(['ECONNRESET', 'EPIPE', 'HPE_INVALID']) });
        if (!stopped()) handler.onResponseStart?.(real, dice.pick([200, 200, 200, 404, 401, 204]), {}, '');
        for (let chunks = dice.below(6); chunks > 0 && !stopped(); chunks--) {
          if (controller.paused) await turn();
          else handler.onResponseData?.(real, Buffer.alloc(dice.size(50_000)));
        }
        if (aborted !== null) throw aborted;
        handler.onResponseEnd?.(real, {});
        this.answered++;
      } catch (error) {
        handler.onResponseError?.(real, error as Error);
      }
      this.open--;
    };
    give().catch((error: unknown) => this.faults.push(error instanceof Error ? (error.stack ?? '') : String(error)));
    return true;
  }

  readonly faults: string[] = [];
}

/** One life of an agent's tunnel with its requests, an honest plane, and what somebody says in the plane's name. */
export class AgentLife implements Life {
  readonly faults: string[] = [];
  readonly socket = new Socket();
  readonly pool: Pool;
  readonly metrics = new AgentMetrics('0');
  readonly tunnel: Tunnel;
  ended = 0;
  readonly #borrowed = new Budget();
  readonly #dice: Dice;
  readonly #memory: Uint8Array<ArrayBuffer>[];
  #peer: Peer;
  #referee: Referee;
  #wire: Wire;

  constructor(dice: Dice, memory: Uint8Array<ArrayBuffer>[], privateKey: webcrypto.CryptoKey) {
    this.#dice = dice;
    this.#memory = memory;
    this.pool = new Pool(dice);
    const log = createLogger('error', (line) => {
      // What the handlers of streams throw is a fault of theirs; no token and the like is not.
      if (line.includes('a fault while serving')) this.faults.push(line);
    });
    const options = { incarnation: 0, lastSequence: 0 };
    this.#referee = new Referee({ ...options, role: 'agent', local: AGENT_LIMITS, peer: PLANE });
    this.#wire = new Wire(this.#referee, true);
    this.#peer = new Peer({ ...options, role: 'plane', local: PLANE, peer: AGENT_LIMITS, headOf: requestHead });
    const serve = streamServer({
      api: { origin: 'https://127.0.0.1:1', ca: () => Promise.reject(new Error('no CA')) } as never,
      pool: this.pool,
      proxy: new Account('proxy', async () => ({ token: 't', expiresAt: Date.now() + 3_600_000 })),
      borrowed: this.#borrowed,
      questions: new Questions(new Map()),
      metrics: this.metrics,
      log,
    });
    this.tunnel = new Tunnel({
      socket: this.socket as unknown as WebSocket,
      claim: {
        cluster: 'c',
        instance: 'a'.repeat(16),
        epoch: 1,
        role: 'cluster',
        capabilities: CAPABILITIES,
        limits: AGENT_LIMITS,
        agentVersion: '0',
        kubernetesVersion: '0',
        privateKey,
      },
      serve,
      events: {
        onSettled: () => undefined,
        onDrain: () => undefined,
        onClosed: () => {
          this.ended++;
        },
      },
      metrics: this.metrics,
      log,
    });
  }

  /** HELLO, honest mostly. @returns whether it was settled. */
  async begin(): Promise<boolean> {
    const dice = this.#dice;
    const lies = dice.chance(0.2);
    const say = (message: Record<string, unknown>): void => this.#deliver(words(lies ? lie(dice, message) : message));
    say({ ...challenge(dice), limits: PLANE });
    for (let i = 0; i < 50 && this.socket.sent.length === 0 && !this.over; i++) await turn();
    say(settled(dice));
    this.socket.sent.length = 0;
    this.#referee.settle();
    return !lies;
  }

  get answered(): number {
    return this.pool.answered;
  }

  get over(): boolean {
    return this.socket.readyState !== 1;
  }

  step(): number {
    const dice = this.#dice;
    for (const message of this.socket.sent.splice(0)) this.#sent(message);
    const at = dice.next();
    if (at < 0.0005) this.tunnel.drain(true);
    else if (at < 0.02) vi.advanceTimersByTime(dice.pick([1, ACCEPT_AFTER_MS]));
    else if (at < 0.2 && !this.#referee.ended) return this.#receive(generate(this.#referee, dice, requestHead));
    else if (at < 0.2005) return this.#receive(words(lie(dice, challenge(dice))));
    else if (at < 0.201) this.socket.emit('message', Buffer.from(dice.pick(['pong', 'ping'])), false);
    else {
      this.#peer.act(dice);
      const message = this.#peer.session.pull(100 + dice.size(70_000));
      if (message === null) return 0;
      const other = dice.pick(this.#memory) ?? message;
      this.#memory[dice.below(64)] = message;
      return this.#receive(dice.chance(0.02) ? mutate(message, dice, other) : message);
    }
    return 0;
  }

  #receive(message: Uint8Array<ArrayBuffer>): number {
    if (!this.#referee.ended) this.#referee.overhear(message);
    this.#deliver(message);
    return countFrames(message);
  }

  #deliver(message: Uint8Array): void {
    this.socket.emit('message', Buffer.from(message), true);
  }

  #sent(message: Uint8Array): void {
    if (!this.#peer.ended) this.#peer.session.receive(message.slice());
    if (this.#referee.ended) return;
    try {
      this.#wire.sent(message);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      this.faults.push(error.message);
    }
  }

  async finish(): Promise<void> {
    const { socket, tunnel, pool } = this;
    tunnel.terminate('the case is over');
    for (let i = 0; i < 200 && (pool.open > 0 || this.ended === 0); i++) await turn();
    this.faults.push(...pool.faults);
    for (const { frames } of socket.sent.map((message) => naiveRead(message))) {
      const goaway = frames.find(({ type }) => type === FrameType.GOAWAY);
      if (goaway?.payload[1] === ProtocolCode.INTERNAL) this.faults.push('an exception of its own');
    }
    const left = {
      streams: tunnel.openStreams,
      requests: pool.open,
      borrowed: this.#borrowed.taken,
      timers: vi.getTimerCount(),
      counted: Number(/streams_open\{kind="http"\} (\d+)/.exec(await this.metrics.text())?.[1] ?? 0),
    };
    for (const [what, count] of Object.entries(left)) if (count > 0) this.faults.push(`${count} ${what} are left`);
    if (this.ended !== 1) this.faults.push(`ended ${this.ended} times`);
    for (const code of socket.closes) {
      if (code !== 1000 && (code < CLOSE_CODE_BASE || code > HIGHEST_CLOSE)) this.faults.push(`closed with ${code}`);
    }
  }
}
