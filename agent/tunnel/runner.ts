import type { webcrypto } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WebSocket } from 'ws';
import { AGENT_LIMITS, DRAIN_MS } from '#schema/protocol/limits.ts';
import type { AgentRole } from '#schema/protocol/codec/hello.ts';
import type { Stream } from '#schema/protocol/flow/stream.ts';
import { describeError, type Logger } from '../log.ts';
import type { AgentMetrics } from '../metrics.ts';
import { PlaneRefusal } from './plane.ts';
import { type Ended, ReconnectPolicy } from './reconnect.ts';
import { Tunnel, type TunnelEnd } from './tunnel.ts';

/** Who the agent is to the plane, once it is registered. */
export interface Enrolment {
  cluster: string;
  /** Signed by the plane; sent with each dial. */
  credential: string;
  /** Ed25519, for signing the proof. */
  privateKey: webcrypto.CryptoKey;
  kubernetesVersion: string;
}

export interface RunnerOptions {
  /** One agent process: 16 to 32 of `a-z0-9`. */
  instance: string;
  role: AgentRole;
  agentVersion: string;
  capabilities: readonly string[];
  /** Registers if need be. `rejected`: the credential that the plane did not accept just now: another is wanted. */
  enrol: (rejected: string | null) => Promise<Enrolment>;
  dial: (credential: string, signal: AbortSignal) => Promise<WebSocket>;
  serve: (stream: Stream, head: Uint8Array) => void;
  metrics: AgentMetrics;
  log: Logger;
  policy?: ReconnectPolicy;
  /** Waits; rejects when `signal` aborts. A simulation has a clock of its own. */
  sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** Keeps one tunnel up for as long as it runs; while the plane drains one, the next is dialled beside it. */
export class TunnelRunner {
  readonly #options: RunnerOptions;
  readonly #policy: ReconnectPolicy;
  readonly #stopping = new AbortController();
  readonly #tunnels = new Set<Tunnel>();
  #settled = 0;
  #epoch = 0;
  /** The credential that the last attempt was refused with. */
  #rejected: string | null = null;
  #connectedWaiters: (() => void)[] = [];
  #emptyWaiters: (() => void)[] = [];

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#policy = options.policy ?? new ReconnectPolicy();
  }

  /** Whether a tunnel is settled. */
  get connected(): boolean {
    return this.#settled > 0;
  }

  /** Resolves once a tunnel is settled. */
  async whenConnected(): Promise<void> {
    if (this.connected) return;
    await new Promise<void>((resolve) => this.#connectedWaiters.push(resolve));
  }

  /** Dials, and dials again, until {@link stop}. */
  async run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const ended = await this.#attempt(signal).catch((error: unknown) => this.#failed(error));
      if (signal.aborted) return;
      const wait = this.#policy.next(ended);
      this.#options.log.debug('the next attempt', { inMilliseconds: Math.round(wait) });
      await (this.#options.sleep ?? sleepFor)(wait, signal).catch(() => undefined);
    }
  }

  /** Stops dialling; streams under way have `graceMs` to finish. Resolves when all tunnels are closed. */
  async stop(graceMs: number = DRAIN_MS): Promise<void> {
    this.#stopping.abort();
    if (this.#tunnels.size === 0) return;
    const empty = new Promise<void>((resolve) => this.#emptyWaiters.push(resolve));
    for (const tunnel of this.#tunnels) tunnel.drain(true);
    const late = setTimeout(() => this.kill('the agent has stopped'), graceMs);
    await empty;
    clearTimeout(late);
  }

  /** Ends all tunnels at once, as a crash would. */
  kill(reason: string): void {
    this.#stopping.abort();
    for (const tunnel of this.#tunnels) tunnel.terminate(reason);
  }

  /** One tunnel's life, until it closes or the plane drains it. */
  async #attempt(signal: AbortSignal): Promise<Ended> {
    const { dial, log, metrics } = this.#options;
    const enrolment = await this.#enrol();
    signal.throwIfAborted();
    if (enrolment === null) return { how: 'refused' };
    let socket: WebSocket;
    try {
      socket = await dial(enrolment.credential, signal);
    } catch (error) {
      const refused = error instanceof PlaneRefusal && error.lasting;
      metrics.dialled(refused ? 'refused' : 'failed');
      if (error instanceof PlaneRefusal && USELESS_CREDENTIAL.has(error.status)) this.#rejected = enrolment.credential;
      throw error;
    }
    metrics.dialled('connected');
    if (signal.aborted) {
      socket.terminate();
      signal.throwIfAborted();
    }
    const end = await this.#live(socket, enrolment);
    if (end.refused) {
      this.#rejected = enrolment.credential;
      log.error('the plane does not accept this agent: if that lasts, import the cluster again', {
        reason: end.reason,
      });
      return { how: 'refused' };
    }
    log.info('the tunnel ended', { reason: end.reason });
    return end.settledMs === null ? { how: 'failed' } : { how: 'lived', ms: end.settledMs };
  }

  /**
   * Who the agent is. After a refusal: by a new registration; null when there is none, and the stored credential gets the next attempt, since the plane's refusal may
   * pass (a failover, a restored database) and a registration token lives for an hour only.
   */
  async #enrol(): Promise<Enrolment | null> {
    const rejected = this.#rejected;
    this.#rejected = null;
    if (rejected === null) return this.#options.enrol(null);
    try {
      return await this.#options.enrol(rejected);
    } catch (error) {
      this.#failed(error);
      return null;
    }
  }

  #live(socket: WebSocket, enrolment: Enrolment): Promise<TunnelEnd> {
    const { instance, role, capabilities, agentVersion, serve, metrics, log } = this.#options;
    const { cluster, privateKey, kubernetesVersion } = enrolment;
    const epoch = ++this.#epoch;
    return new Promise((resolve) => {
      let settledAt: number | null = null;
      let late: NodeJS.Timeout | undefined;
      const tunnel = new Tunnel({
        socket,
        claim: {
          cluster,
          privateKey,
          kubernetesVersion,
          instance,
          epoch,
          role,
          capabilities,
          agentVersion,
          limits: AGENT_LIMITS,
        },
        serve,
        metrics,
        log,
        events: {
          onSettled: (standby) => {
            settledAt = performance.now();
            this.#settled++;
            metrics.tunnelSettled(standby);
            log.info('the tunnel is up', { cluster, epoch, standby });
            for (const waiter of this.#connectedWaiters.splice(0)) waiter();
          },
          onDrain: () => {
            tunnel.drain(false);
            late ??= setTimeout(() => tunnel.terminate('the plane drained it, and its time is over'), DRAIN_MS);
            const settledMs = settledAt === null ? null : performance.now() - settledAt;
            resolve({ settledMs, refused: false, reason: 'the plane drains it' });
          },
          onClosed: (end) => {
            clearTimeout(late);
            this.#tunnels.delete(tunnel);
            if (end.settledMs !== null) {
              this.#settled--;
              metrics.tunnelClosed();
            }
            if (this.#tunnels.size === 0) for (const waiter of this.#emptyWaiters.splice(0)) waiter();
            resolve(end);
          },
        },
      });
      this.#tunnels.add(tunnel);
    });
  }

  #failed(error: unknown): Ended {
    const { log } = this.#options;
    if (this.#stopping.signal.aborted) return { how: 'failed' };
    if (!(error instanceof PlaneRefusal && error.lasting)) {
      log.warn('no tunnel to the plane', { error: describeError(error) });
      return { how: isAway(error) ? 'away' : 'failed' };
    }
    log.error(ADVICE[error.status] ?? 'the plane refuses this agent', { answer: error.message });
    return { how: 'refused' };
  }
}

/** No connection came to be, or the network broke it: nothing that the plane said. A plane that is slow to answer is not among these. */
const AWAY = new Set([
  'ECONNRESET',
  'EPIPE',
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
]);

function isAway(error: unknown): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && AWAY.has(error.code);
}

const sleepFor = (ms: number, signal: AbortSignal): Promise<void> => sleep(ms, undefined, { signal });

/** The credential is not accepted, or is for a cluster that was removed: one made by a new registration may be. */
const USELESS_CREDENTIAL = new Set([401, 404]);

/** What to do about a refusal that will not pass by itself. */
const ADVICE: Readonly<Record<number, string>> = {
  401: "the plane does not accept this agent's credential or registration token: get a new import command from the plane and apply it",
  403: 'the plane forbids this agent: see whether the cluster was removed from the plane, or import it again',
  404: 'there is no plane at this address, or it does not know this cluster: check OUTRIDER_SERVER',
  409: 'the plane knows this cluster under another name: remove it there, or use that import command',
};
