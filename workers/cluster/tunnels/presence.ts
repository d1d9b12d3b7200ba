import type { AgentRole } from '#schema/protocol/codec/hello.ts';
import { SILENCE_MS } from '#schema/protocol/limits.ts';

/** What election knows of one tunnel. Times in epoch ms. */
export interface Presence {
  /** One agent process. */
  instance: string;
  /** Grows with each dial of the instance. */
  epoch: number;
  role: AgentRole;
  draining: boolean;
  /** When its HELLO was settled. */
  settledAt: number;
  /** When anything was last heard from it, pings included. */
  heardAt: number;
}

/** Lower serves first: a node agent carries traffic only while no cluster agent is healthy (`design.md` §1). */
const RANK = { cluster: 0, node: 1 } as const satisfies Record<AgentRole, number>;

export function isSilent(presence: Presence, now: number): boolean {
  return now - presence.heardAt > SILENCE_MS;
}

/**
 * Which tunnel takes new streams: of those that are neither draining nor silent, the lowest rank, then the longest settled, so that a
 * second replica stands by and nothing moves without need. Null: none.
 */
export function elect<T extends Presence>(tunnels: Iterable<T>, now: number): T | null {
  let best: T | null = null;
  for (const tunnel of tunnels) {
    if (tunnel.draining || isSilent(tunnel, now)) continue;
    if (best === null || precedes(tunnel, best)) best = tunnel;
  }
  return best;
}

function precedes(a: Presence, b: Presence): boolean {
  if (RANK[a.role] !== RANK[b.role]) return RANK[a.role] < RANK[b.role];
  if (a.settledAt !== b.settledAt) return a.settledAt < b.settledAt;
  return a.instance < b.instance;
}

/**
 * What becomes of a dial beside the tunnels of the same instance: the newest epoch replaces the others, an older one is refused. One that drains is left to
 * finish: the dial is what draining it asked for.
 */
export function supersede<T extends Presence>(
  dial: Pick<Presence, 'instance' | 'epoch'>,
  tunnels: Iterable<T>,
): { refused: boolean; replaced: T[] } {
  const same = [...tunnels].filter((tunnel) => tunnel.instance === dial.instance);
  return {
    refused: same.some((tunnel) => tunnel.epoch >= dial.epoch),
    replaced: same.filter((tunnel) => tunnel.epoch < dial.epoch && !tunnel.draining),
  };
}
