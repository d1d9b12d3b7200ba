import { vi } from 'vitest';
import { CLOSE_CODE_BASE, ProtocolCode } from '#schema/protocol/codec/codes.ts';
import { PLANE_LIMITS, type SessionLimits } from '#schema/protocol/limits.ts';
import { Content } from '#workers/cluster/request/content.ts';
import { Departures } from '#workers/cluster/streams/departures.ts';
import { serveHttp } from '#workers/cluster/streams/http.ts';
import type { Pool } from '#workers/cluster/tunnels/pool.ts';
import { Counters } from '#workers/cluster/metrics/counters.ts';
import { Tunnel } from '#workers/cluster/tunnels/tunnel.ts';
import type { Dice } from '../make/dice.ts';
import { generate } from '../make/generate.ts';
import { countFrames, mutate } from '../make/mutate.ts';
import { Peer } from '../make/peer.ts';
import { Referee } from '../judge/referee.ts';
import { Fault } from '../judge/seen.ts';
import { Wire } from '../judge/wire.ts';
import { lie, proof, requestHead, responseHead } from '../make/words.ts';
import type { Life } from './lives.ts';
import { turn, words } from './turn.ts';

const AGENT: SessionLimits = { streamWindow: 4096, sessionWindow: 16_384, maxStreams: 16 };

/** One life of a tunnel of the plane's with its requests, an honest agent, and what somebody says in the agent's name. */
export class PlaneLife implements Life {
  readonly tunnel: Tunnel;
  readonly closes: number[] = [];
  ended = 0;
  pending = 0;
  answered = 0;
  readonly faults: string[] = [];
  readonly #dice: Dice;
  readonly #peer: Peer;
  readonly #referee: Referee;
  readonly #wire: Wire;
  readonly #memory: Uint8Array<ArrayBuffer>[];
  readonly #clients: AbortController[] = [];

  constructor(dice: Dice, memory: Uint8Array<ArrayBuffer>[]) {
    this.#dice = dice;
    this.#memory = memory;
    const options = { incarnation: 3, lastSequence: 0 };
    this.#referee = new Referee({ ...options, role: 'plane', local: PLANE_LIMITS, peer: AGENT });
    this.#referee.settle();
    this.#wire = new Wire(this.#referee, true);
    this.#peer = new Peer({ ...options, role: 'agent', local: AGENT, peer: PLANE_LIMITS, headOf: responseHead });
    this.tunnel = new Tunnel(
      {
        send: (message) => this.#sent(message),
        close: (code) => {
          this.closes.push(code);
        },
      },
      {
        onHello: (tunnel) => tunnel.end(ProtocolCode.PROTOCOL_ERROR, 'not a proof'),
        onDraining: () => undefined,
        onIdle: () => undefined,
        onEnded: () => {
          this.ended++;
        },
        pingedAt: () => 0,
      },
      new Counters(0),
      0,
    );
  }

  async begin(): Promise<boolean> {
    if (this.#dice.chance(0.95)) this.#settle();
    return true;
  }

  #settle(): void {
    const agent = { cluster: 'c-gaaaaaaaaaabbbbbbbb', publicKey: 'A'.repeat(43), generation: 1 };
    const told = { agentVersion: '', kubernetesVersion: '', settledAt: 0, draining: false };
    const offers = { role: 'cluster', capabilities: ['http'], limits: AGENT } as const;
    this.tunnel.settle(
      { state: 'settled', agent, instance: 'a', epoch: 1, ...offers, capabilities: ['http'], ...told },
      3,
    );
  }

  #sent(message: Uint8Array): void {
    if (this.#dice.chance(0.0005)) throw new Error('the socket is closed');
    const copy = message.slice();
    if (!this.#peer.ended) this.#peer.session.receive(copy);
    // What nobody has reported may have been judged wrongly where a reset was on its way: from a breach on only the tunnel itself is watched.
    if (this.#referee.ended) return;
    try {
      this.#wire.sent(copy);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      this.faults.push(error.message);
    }
  }

  get over(): boolean {
    return this.ended > 0;
  }

  /** One thing happens. @returns frames that came. */
  step(): number {
    const dice = this.#dice;
    const at = dice.next();
    if (at < 0.15) this.#ask();
    else if (at < 0.17) this.#clients[dice.below(this.#clients.length)]?.abort();
    else if (at < 0.3 && !this.#referee.ended) return this.#receive(generate(this.#referee, dice, responseHead));
    else if (at < 0.301) return this.#receive(words(lie(dice, proof(dice))));
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
    this.tunnel.receive(message.slice().buffer, 0);
    return countFrames(message);
  }

  #ask(): void {
    const dice = this.#dice;
    const client = new AbortController();
    this.#clients.push(client);
    const active = (): Tunnel | null => (this.tunnel.draining ? null : this.tunnel);
    const pool = { active, wait: async () => active() } as unknown as Pool;
    const uploads = dice.chance(0.2);
    const size = dice.size(20_000);
    const body = uploads ? new Response(new Uint8Array(size)).body : null;
    this.pending++;
    const outbound = {
      method: dice.pick(['GET', 'GET', 'HEAD', 'PUT'] as const),
      head: requestHead(dice),
      content: body === null ? null : new Content(body as ReadableStream<Uint8Array>),
      // Watched at once, or a session of frames would be over before anybody looks.
      client: new Departures().client(client, true),
      requestId: 'r',
      live: { watch: () => () => undefined },
    };
    const slow = dice.chance(0.3);
    const leaves = dice.chance(0.1);
    serveHttp(pool, outbound as unknown as Parameters<typeof serveHttp>[1]).then(
      async (response) => {
        this.answered++;
        const reader = response.body?.getReader();
        try {
          for (;;) {
            if (slow) await turn();
            const { done = true } = (await reader?.read()) ?? {};
            if (done) break;
            if (leaves) await reader?.cancel('enough');
          }
        } catch {
          // Broken off, as it must be when the tunnel is.
        }
        this.pending--;
      },
      () => {
        this.pending--;
      },
    );
  }

  /** Nothing is left once it is over. */
  async finish(): Promise<void> {
    this.tunnel.lost('the case is over');
    for (let i = 0; i < 200 && this.pending > 0; i++) await turn();
    if (this.pending > 0) this.faults.push(`${this.pending} requests are left`);
    if (this.tunnel.openStreams > 0) this.faults.push(`${this.tunnel.openStreams} streams are left`);
    if (this.ended !== 1) this.faults.push(`ended ${this.ended} times`);
    if (this.closes.length > 1) this.faults.push(`closed ${this.closes.length} times`);
    const [code] = this.closes;
    if (code !== undefined && (code <= CLOSE_CODE_BASE || code > CLOSE_CODE_BASE + ProtocolCode.INTERNAL - 1)) {
      this.faults.push(`closed with ${code}`);
    }
    if (vi.getTimerCount() > 0) this.faults.push(`${vi.getTimerCount()} timers are left`);
  }
}
