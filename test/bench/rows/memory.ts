import type { Goal, Measurement, MemoryState } from './row.ts';

const measured = (
  name: string,
  memory: MemoryState,
  agentGoals: readonly Goal[],
  when: Measurement['when'],
): Measurement => ({
  name,
  work: { memory },
  rows: [
    { metric: 'agent', label: 'agent', unit: 'MiB', better: 'lower', goals: agentGoals },
    { metric: 'server', label: 'server', unit: 'MiB', better: 'lower' },
  ],
  // The direct path has no program in between.
  paths: ['outrider', 'remotedialer', 'konnectivity'],
  ...(when && { when }),
});

/** Resident memory of each path's two programs; workerd is Outrider's server. */
export const memoryMeasurements: readonly Measurement[] = [
  measured('memory-idle', 'idle', [{ limit: 80 }], 'first'),
  measured('memory-100-streams-open', 'open', [{ limit: 150 }], 'first'),
  measured('memory-100-downloads', 'loaded', [{ limit: 150 }], 'first'),
  measured('memory-after-all-rows', 'idle', [], 'last'),
  measured('memory-100-slow-readers', 'slow', [], 'last'),
  {
    name: 'soak',
    work: { memory: 'soak' },
    rows: [
      { metric: 'agentGrowth', label: 'agent growth', unit: '%', better: 'lower', goals: [{ limit: 5 }] },
      { metric: 'serverGrowth', label: 'server growth', unit: '%', better: 'lower', goals: [{ limit: 5 }] },
      { metric: 'agent', label: 'agent at its end', unit: 'MiB', better: 'lower', goals: [{ limit: 150 }] },
      { metric: 'server', label: 'server at its end', unit: 'MiB', better: 'lower' },
    ],
    paths: ['outrider'],
    when: 'last',
  },
];
