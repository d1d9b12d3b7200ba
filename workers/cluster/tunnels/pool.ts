import { OutriderError } from '#schema/errors.ts';
import { ProtocolCode } from '#schema/protocol/codec/codes.ts';
import { log } from '../../log.ts';
import { SILENCE_CHECK_MS, MAX_WAITING, TUNNEL_RECENTLY_MS, TUNNEL_WAIT_MS } from '../limits.ts';
import { elect, isSilent, supersede } from './presence.ts';
import type { Tunnel } from './tunnel.ts';

/** What the pool of tunnels asks of its object. */
export interface PoolDeps {
  now(): number;
  /** When the platform last answered a tunnel's ping, epoch ms; 0: never. */
  pingedAt(tunnel: Tunnel): number;
  /** When the last tunnel was lost, if it is known. */
  lostAt(): number | null;
  setLostAt(at: number | null): void;
}

/** The tunnels of one cluster: who serves, who stands by, and who waits for one. */
export class Pool {
  readonly #deps: PoolDeps;
  readonly #all = new Set<Tunnel>();
  readonly #waiting = new Set<(tunnel: Tunnel | null) => void>();
  #active: Tunnel | null = null;
  #judgedAt = 0;

  constructor(deps: PoolDeps) {
    this.#deps = deps;
  }

  get all(): ReadonlySet<Tunnel> {
    return this.#all;
  }

  get size(): number {
    return this.#all.size;
  }

  /** Requests that wait for a tunnel. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Adds a tunnel that is settled. False: the same instance has a newer one, and this one must end. */
  add(tunnel: Tunnel): boolean {
    const { refused, replaced } = supersede(tunnel, this.#all);
    if (refused) return false;
    for (const old of replaced) old.end(ProtocolCode.SUPERSEDED, 'a newer dial of the same agent took over');
    this.#all.add(tunnel);
    if (this.#deps.lostAt() !== null) this.#deps.setLostAt(null);
    this.#elect();
    return true;
  }

  /** A tunnel has ended or is draining: somebody else serves. */
  changed(tunnel: Tunnel, ended: boolean): void {
    if (ended && this.#all.delete(tunnel) && this.#all.size === 0) this.#deps.setLostAt(this.#deps.now());
    this.#elect();
  }

  /** The tunnel that takes new streams now; silent ones are ended on the way. */
  active(): Tunnel | null {
    const now = this.#deps.now();
    if (now - this.#judgedAt >= SILENCE_CHECK_MS) this.#judge(now);
    return this.#active;
  }

  /**
   * As {@link Pool.active}, waiting up to {@link TUNNEL_WAIT_MS} for one where the last was lost only just now.
   * @throws OutriderError overloaded when too many wait already
   */
  async wait(signal: AbortSignal): Promise<Tunnel | null> {
    const active = this.active();
    if (active !== null) return active;
    const lostAt = this.#deps.lostAt();
    const recently = lostAt === null || this.#deps.now() - lostAt < TUNNEL_RECENTLY_MS;
    if (!recently || signal.aborted) return null;
    if (this.#waiting.size >= MAX_WAITING) {
      throw new OutriderError('overloaded', 'too many requests wait for the agent of this cluster to connect again');
    }
    return await new Promise((resolve) => {
      const done = (tunnel: Tunnel | null): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', aborted);
        this.#waiting.delete(done);
        resolve(tunnel);
      };
      const aborted = (): void => done(null);
      const timer = setTimeout(() => done(null), TUNNEL_WAIT_MS);
      signal.addEventListener('abort', aborted);
      this.#waiting.add(done);
    });
  }

  #judge(now: number): void {
    this.#judgedAt = now;
    this.#hear();
    for (const tunnel of this.#all) {
      if (!isSilent(tunnel, now)) continue;
      log('warn', 'tunnel fell silent', { instance: tunnel.instance });
      tunnel.end(ProtocolCode.CANCELLED, 'nothing was heard from the agent');
    }
    this.#elect();
  }

  /** Pings wake nobody: when they came is asked for. */
  #hear(): void {
    for (const tunnel of this.#all) tunnel.heardAt = Math.max(tunnel.heardAt, this.#deps.pingedAt(tunnel));
  }

  #elect(): void {
    const before = this.#active;
    this.#hear();
    this.#active = elect(this.#all, this.#deps.now());
    if (this.#active === before) return;
    if (this.#active !== null) for (const done of this.#waiting) done(this.#active);
  }
}
