import { ERRORS, errorRow, type ErrorCode } from '#schema/errors.ts';
import { codeName, ProtocolCode } from '#schema/protocol/codec/codes.ts';

/**
 * What is counted for one cluster, as a table: every series is a slot of one array of numbers, so that counting is an addition, keeping is a copy, and an
 * exposition is a walk. The set of series is fixed; no peer can make one.
 */
export interface Family {
  readonly name: string;
  readonly help: string;
  /** The name of the one label that its series differ in; '': there is one series. */
  readonly label: string;
  readonly series: readonly { readonly value: string; readonly slot: number }[];
  /** Upper bounds of a histogram's buckets, seconds; its slots are one for each, one for the rest, and the sum. None: a counter. */
  readonly buckets?: readonly number[];
}

const table: Family[] = [];
let slots = 0;

function family<K extends string>(
  { name, help, label = '', buckets }: { name: string; help: string; label?: string; buckets?: readonly number[] },
  values: readonly K[],
): Readonly<Record<K, number>> {
  const width = buckets === undefined ? 1 : buckets.length + 2;
  const series = values.map((value, i) => ({ value, slot: slots + i * width }));
  slots += values.length * width;
  table.push({ name, help, label, series, ...(buckets === undefined ? {} : { buckets }) });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the entries are exactly the values
  return Object.fromEntries(series.map(({ value, slot }) => [value, slot])) as Record<K, number>;
}

const keysOf = <K extends string>(of: Readonly<Record<K, unknown>>): K[] =>
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a table has the keys that its type says
  Object.keys(of) as K[];

/** From a cached GET (2 ms) to a list of a large cluster; as the agent's, so that the two can be laid over each other. */
export const DURATION_BUCKETS = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const;

/** Workers' clock has whole milliseconds, and stands still while code runs: nothing shorter than one can be told apart. */
export const DELAY_BUCKETS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5] as const;

export const BYTES = family({ name: 'tunnel_bytes_total', help: 'Octets of tunnel messages.', label: 'direction' }, [
  'sent',
  'received',
]);
export const MESSAGES = family({ name: 'tunnel_messages_total', help: 'Tunnel messages.', label: 'direction' }, [
  'sent',
  'received',
]);
export const TUNNELS = family(
  { name: 'tunnel_changes_total', help: 'Tunnels that were settled with an agent, and that ended.', label: 'change' },
  ['settled', 'ended'],
);

/** How a request ended, as far as its head tells: the class of the cluster's answer, or whose fault it is that there was none. */
export const OUTCOMES = ['1xx', '2xx', '3xx', '4xx', '5xx', 'refused', 'failed', 'cancelled'] as const;
export type Outcome = (typeof OUTCOMES)[number];
export const DURATION = family(
  {
    name: 'request_duration_seconds',
    help: 'Time from a request in the object to the head of its response, or to its refusal.',
    label: 'outcome',
    buckets: DURATION_BUCKETS,
  },
  OUTCOMES,
);
export const REFUSALS = family(
  { name: 'refusals_total', help: 'Requests that the plane answered itself.', label: 'code' },
  keysOf(ERRORS),
);
export const DELAY = family(
  {
    name: 'queue_delay_seconds',
    help: 'The longest that anything in a tunnel message waited to be sent; one sample a message.',
    buckets: DELAY_BUCKETS,
  },
  [''],
);

/** Label values of wire codes; codes of a newer peer share one. */
const codeLabels = new Map<number, string>(
  Object.values(ProtocolCode).map((code) => [code, codeName(code).toLowerCase()]),
);
const resetLabels = [...codeLabels.values(), 'other'];
const resets = {
  plane: family(
    {
      name: 'stream_resets_by_plane_total',
      help: 'Streams that the plane reset, or lost with their tunnel.',
      label: 'code',
    },
    resetLabels,
  ),
  agent: family(
    { name: 'stream_resets_by_agent_total', help: 'Streams that an agent reset.', label: 'code' },
    resetLabels,
  ),
} as const;

/** The slot of a reset. */
export function resetSlot(code: number, by: 'plane' | 'agent'): number {
  return resets[by][codeLabels.get(code) ?? 'other'] ?? 0;
}

/** The outcome of a refusal by the plane: the caller's doing, or not. */
export function outcomeOfRefusal(code: ErrorCode): Outcome {
  return errorRow(code).status < 500 ? 'refused' : 'failed';
}

/** The outcome of an answer by the cluster. */
export function outcomeOfStatus(status: number): Outcome {
  return OUTCOMES[Math.min(5, Math.max(1, Math.trunc(status / 100))) - 1] ?? '5xx';
}

export const FAMILIES: readonly Family[] = table;
export const SLOTS = slots;
