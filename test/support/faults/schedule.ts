import type { Leg } from '../hops.ts';
import { type Direction, DIRECTIONS, type Side } from './line.ts';
import type { CutPoint, Ending } from './pipe.ts';
import { Random } from './random.ts';

/** What happens to a leg. Those with `forMs` last; the others are over at once. */
export type NetworkFault =
  | { kind: 'delay'; ms: number; forMs: number }
  | { kind: 'throttle'; bytesPerSecond: number; forMs: number }
  | { kind: 'slice'; bytes: number; forMs: number }
  | { kind: 'silent'; directions: readonly Direction[]; forMs: number }
  /** As silent, but nothing comes afterwards: the connections are reset. Whoever sent is not told whether it arrived, which is where repeating does harm. */
  | { kind: 'lose'; direction: Direction; forMs: number }
  | { kind: 'hold'; forMs: number }
  | { kind: 'refuse'; forMs: number }
  | { kind: 'cut'; how: Ending }
  | ({ kind: 'cut-at'; direction: Direction } & CutPoint)
  /** One side's connections end and the other is not told before all is well. */
  | { kind: 'orphan'; side: Side }
  /** The connections end, and the next dial comes twice. */
  | { kind: 'duplicate-dial' };

/** What happens to a process. */
export type ProcessFault =
  | { kind: 'plane-killed'; forMs: number }
  | { kind: 'agent-killed'; forMs: number }
  | { kind: 'agent-stopped'; forMs: number };

export type Step = { atMs: number } & ({ leg: Leg; fault: NetworkFault } | { leg: null; fault: ProcessFault });

/** What happens, and when. Afterwards all is well. */
export interface Schedule {
  readonly seed: number;
  /** In the order of time. */
  readonly steps: readonly Step[];
  /** When everything is over, ms from the start: the last step and what lasts longest. */
  readonly endsAtMs: number;
}

/** Faults begin within this, ms: a schedule is to be short, and its faults to meet. */
const BEGIN_WITHIN_MS = 1_600;
/** Requests are under way by then, ms. */
const FIRST_AT_MS = 200;

/** One schedule in so many has faults that outlast the plane's and the agent's patience with each other (`ANSWER_MS`, 5 s). */
const LONG_ONE_IN = 8;
const LONG_MS = { least: 5_200, most: 6_500 } as const;
const SHORT_MS = { least: 100, most: 1_200 } as const;

/** The tunnel first: what breaks there meets every request. */
const LEGS: readonly (readonly [number, Leg])[] = [
  [4, 'agent-to-plane'],
  [3, 'client-to-plane'],
  [4, 'agent-to-api-server'],
];

/** What a cut-at counts: from inside the first record of a handshake to the middle of a bulk answer. */
const CUT_OCTETS = { least: 1, most: 60_000 } as const;
const CUT_RECORDS = { least: 1, most: 40 } as const;

/** Where the schedules that are always played begin: the twenty from here on have all that breaks a connection on each leg. */
export const FIRST_SEED = 14_463;

/** The schedule of a seed: the same for ever, for as long as this file stays as it is. */
export function planSchedule(seed: number): Schedule {
  const random = new Random(seed);
  const steps: Step[] = [];
  const legs = random.int(1, 4);
  // One long fault is enough: the others end while it lasts.
  const long = random.int(1, LONG_ONE_IN) === 1 ? random.int(0, legs) : null;
  const duration = (i: number): number => {
    const { least, most } = i === long ? LONG_MS : SHORT_MS;
    return random.int(least, most);
  };
  for (let i = 0; i < legs; i++) {
    const forMs = duration(i);
    const leg = random.weighted(LEGS);
    steps.push({ atMs: random.int(FIRST_AT_MS, BEGIN_WITHIN_MS), leg, fault: networkFault(random, forMs) });
  }
  const process = random.weighted<ProcessFault['kind'] | null>([
    [10, null],
    [4, 'plane-killed'],
    [2, 'agent-killed'],
    [3, 'agent-stopped'],
  ]);
  if (process !== null) {
    const forMs = duration(legs);
    steps.push({ atMs: random.int(FIRST_AT_MS, BEGIN_WITHIN_MS), leg: null, fault: { kind: process, forMs } });
  }
  const ordered = steps.toSorted((a, b) => a.atMs - b.atMs);
  return { seed, steps: ordered, endsAtMs: Math.max(...ordered.map((step) => step.atMs + lasts(step.fault))) };
}

/** How long a fault lasts, ms. */
export function lasts(fault: NetworkFault | ProcessFault): number {
  return 'forMs' in fault ? fault.forMs : 0;
}

function networkFault(random: Random, forMs: number): NetworkFault {
  const how = random.pick(['rst', 'fin'] as const);
  const direction = random.pick(DIRECTIONS);
  const kind = random.weighted<NetworkFault['kind']>([
    [2, 'delay'],
    [2, 'throttle'],
    [2, 'slice'],
    [4, 'silent'],
    [6, 'lose'],
    [2, 'hold'],
    [2, 'refuse'],
    [3, 'cut'],
    [7, 'cut-at'],
    [3, 'orphan'],
    [1, 'duplicate-dial'],
  ]);
  switch (kind) {
    case 'delay':
      return { kind, ms: random.int(5, 250), forMs };
    case 'throttle':
      return { kind, bytesPerSecond: random.pick([20_000, 100_000, 500_000]), forMs };
    case 'slice':
      return { kind, bytes: random.pick([3, 40, 700]), forMs };
    case 'silent':
      return { kind, directions: random.pick([['up'], ['down'], DIRECTIONS] as const), forMs };
    case 'lose':
      return { kind, direction, forMs };
    case 'hold':
    case 'refuse':
      return { kind, forMs };
    case 'cut':
      return { kind, how };
    case 'cut-at': {
      const unit = random.pick(['octets', 'records'] as const);
      const { least, most } = unit === 'octets' ? CUT_OCTETS : CUT_RECORDS;
      return { kind, direction, unit, count: random.int(least, most), how };
    }
    case 'orphan':
      return { kind, side: random.pick(['dialler', 'target'] as const) };
    case 'duplicate-dial':
      return { kind };
  }
}

/** For people: one line a step. */
export function describeSchedule({ seed, steps, endsAtMs }: Schedule): string {
  const lines = steps.map(({ atMs, leg, fault: { kind, ...facts } }) => {
    const said = Object.entries(facts).map(([name, value]) => `${name} ${String(value)}`);
    return [`  ${String(atMs).padStart(5)} ms`, leg ?? 'process', kind, ...said].join(' ');
  });
  return [`schedule of seed ${seed}, all well after ${endsAtMs} ms:`, ...lines].join('\n');
}
