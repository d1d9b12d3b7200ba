import type { Counted } from './counters.ts';
import { FAMILIES, SLOTS, type Family } from './series.ts';

/** What is scraped of one cluster: what is there now, and what was counted. */
export interface ClusterMetrics {
  readonly tunnels: Readonly<Record<'active' | 'standby' | 'draining', number>>;
  readonly streams: number;
  readonly waiting: number;
  readonly counted: Counted;
}

/** Of a cluster whose agent has never connected: it has no object that could be asked. */
export const NO_METRICS: ClusterMetrics = {
  tunnels: { active: 0, standby: 0, draining: 0 },
  streams: 0,
  waiting: 0,
  counted: { since: 0, values: new Float64Array(SLOTS) },
};

const PREFIX = 'outrider_cluster_';

/** Prometheus text format 0.0.4, "Text format details": label values escape backslash, quote and line feed. */
const escaped = (value: string): string =>
  value
    .replaceAll('\\', String.raw`\\`)
    .replaceAll('"', String.raw`\"`)
    .replaceAll('\n', String.raw`\n`);

const labels = (pairs: readonly (readonly [string, string])[]): string =>
  `{${pairs.map(([name, value]) => `${name}="${escaped(value)}"`).join(',')}}`;

/** The text that Prometheus scrapes. Every series has the label `cluster`: those of all clusters come from one address. */
export function exposition(cluster: string, { tunnels, streams, waiting, counted }: ClusterMetrics): string {
  const lines: string[] = [];
  const begin = (name: string, type: string, help: string): void =>
    void lines.push(`# HELP ${PREFIX}${name} ${help}`, `# TYPE ${PREFIX}${name} ${type}`);
  const sample = (name: string, value: number, ...more: (readonly [string, string])[]): void =>
    void lines.push(`${PREFIX}${name}${labels([['cluster', cluster], ...more])} ${value}`);
  const gauge = (name: string, help: string, value: number): void => {
    begin(name, 'gauge', help);
    sample(name, value);
  };

  gauge('tunnel_up', '1 while an agent serves this cluster.', tunnels.active > 0 ? 1 : 0);
  begin('tunnels', 'gauge', 'Agents that are connected.');
  for (const [state, count] of Object.entries(tunnels)) sample('tunnels', count, ['state', state]);
  gauge('streams_open', 'Streams under way in all tunnels.', streams);
  gauge('requests_waiting', 'Requests that wait for a tunnel.', waiting);
  gauge('counters_since_seconds', 'When the counters began at zero, seconds since the epoch.', counted.since / 1000);
  for (const family of FAMILIES) {
    begin(family.name, family.buckets === undefined ? 'counter' : 'histogram', family.help);
    for (const { value, slot } of family.series) {
      const own: (readonly [string, string])[] = family.label === '' ? [] : [[family.label, value]];
      if (family.buckets === undefined) sample(family.name, counted.values[slot] ?? 0, ...own);
      else histogram(family.name, family.buckets, slot, own);
    }
  }
  return `${lines.join('\n')}\n`;

  /** Buckets count what is at or below their bound, so each has those before it in it. */
  function histogram(
    name: string,
    buckets: NonNullable<Family['buckets']>,
    slot: number,
    own: readonly (readonly [string, string])[],
  ): void {
    let count = 0;
    for (const [i, bound] of [...buckets.map(String), '+Inf'].entries()) {
      count += counted.values[slot + i] ?? 0;
      sample(`${name}_bucket`, count, ...own, ['le', bound]);
    }
    sample(`${name}_sum`, counted.values[slot + buckets.length + 1] ?? 0, ...own);
    sample(`${name}_count`, count, ...own);
  }
}
