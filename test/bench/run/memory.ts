import { setTimeout as sleep } from 'node:timers/promises';
import { growth, median } from '../figures/statistics.ts';
import type { MemoryState } from '../rows/row.ts';
import type { Load, Metrics, Target } from './load.ts';
import { type PathProcesses, pathMemory } from './usage.ts';

/** As the issue asks: "at 100 streams". */
const STREAMS = 100;
/** Long enough that memory has been touched, short enough that a slow path is done in time. */
const DOWNLOAD_BYTES = 4_000_000;
/** So slow that every window on the way fills. */
const SLOW = { bytesPerSecond: 20_000, each: 100_000_000 };
const SETTLE_MS = 2_000;
const SAMPLE_MS = 200;
/** Of the soak: one mixed command after another, each some seconds. */
const SOAK_REQUESTS = 2_000;
const MS_PER_MINUTE = 60_000;

interface Watched {
  readonly load: Load;
  readonly target: Target;
  readonly processes: PathProcesses;
  readonly soakMinutes: number;
}

interface Sample {
  readonly agent: number;
  readonly server: number;
}

/** Brings about a state and answers what both programs hold in it, MiB. */
export async function measureMemory(state: MemoryState, watched: Watched): Promise<Metrics> {
  return { ...(await STATES[state](watched)) };
}

const STATES: Readonly<Record<MemoryState, (watched: Watched) => Promise<Metrics>>> = {
  async idle({ processes }) {
    await sleep(SETTLE_MS);
    return { ...(await pathMemory(processes)) };
  },

  async open(watched) {
    const { load, target } = watched;
    const { open } = await load.run('hold', target, { path: '/bench/hang', count: STREAMS });
    try {
      if (open !== STREAMS) throw new Error(`only ${open} of ${STREAMS} streams opened`);
      await sleep(SETTLE_MS);
      return { ...(await pathMemory(watched.processes)) };
    } finally {
      await load.run('release', target);
    }
  },

  async slow(watched) {
    const { load, target } = watched;
    const params = {
      path: `/bench/bytes?n=${SLOW.each}`,
      count: STREAMS,
      bytesPerSecond: SLOW.bytesPerSecond,
    };
    await load.run('slow', target, params);
    try {
      return peak(await sampled(watched.processes, sleep(SETTLE_MS)));
    } finally {
      await load.run('release', target);
    }
  },

  async loaded({ load, target, processes }) {
    const path = `/bench/bytes?n=${DOWNLOAD_BYTES}`;
    return peak(
      await sampled(processes, load.run('download', target, { path, bytes: DOWNLOAD_BYTES, streams: STREAMS })),
    );
  },

  async soak({ load, target, processes, soakMinutes }) {
    const samples = await sampled(processes, mixedLoad(load, target, Date.now() + soakMinutes * MS_PER_MINUTE));
    const of = (end: keyof Sample): number[] => samples.map((sample) => sample[end]);
    const atEnd = (end: keyof Sample): number => median(of(end).slice(-Math.ceil(samples.length / 10)));
    return {
      agentGrowth: growth(of('agent')),
      serverGrowth: growth(of('server')),
      agent: atEnd('agent'),
      server: atEnd('server'),
    };
  },
};

/** Small answers 64 at a time, bulk both ways, and small ones beside bulk, in turn. */
async function mixedLoad(load: Load, target: Target, until: number): Promise<void> {
  const bytes = 32_000_000;
  const small = '/bench/bytes?n=1024';
  const bulk = `/bench/bytes?n=${bytes}`;
  while (Date.now() < until) {
    await load.run('get', target, { path: small, requests: SOAK_REQUESTS, concurrency: 64, warm: 0 });
    await load.run('download', target, { path: bulk, bytes, streams: 8 });
    await load.run('upload', target, { path: '/bench/upload', bytes, streams: 4 });
    await load.run('beside', target, { path: small, requests: 100, bulkPath: bulk, bulkStreams: 4, bulkBytes: bytes });
  }
}

/** Looks at the memory until `work` is done. */
async function sampled(processes: PathProcesses, work: Promise<unknown>): Promise<Sample[]> {
  const samples: Sample[] = [];
  const finished = work.then(() => true);
  // Heard of in the loop, once the sample under way is taken.
  finished.catch(() => undefined);
  do samples.push(await pathMemory(processes));
  while (!(await Promise.race([finished, sleep(SAMPLE_MS, false)])));
  return samples;
}

const peak = (samples: readonly Sample[]): Metrics => ({
  agent: Math.max(...samples.map(({ agent }) => agent)),
  server: Math.max(...samples.map(({ server }) => server)),
});
