import type { Samples } from '../figures/results.ts';
import { rotated } from '../figures/statistics.ts';
import { type Path, PATHS, perPath } from '../paths.ts';
import type { Measurement } from '../rows/row.ts';
import type { Way, World } from '../worlds/world.ts';
import type { Load, Metrics } from './load.ts';
import { measureMemory } from './memory.ts';
import { cpuMicroseconds, type PathProcesses } from './usage.ts';

export interface MeasureOptions {
  readonly load: Load;
  readonly rounds: number;
  readonly quick: boolean;
  readonly soakMinutes: number;
  /** When no further round may still be under way, by `performance.now()`; the first is made in any case. */
  readonly roundsUntil: number;
  readonly say: (line: string) => void;
  /** Stops between two measurements. */
  readonly signal: AbortSignal;
}

/** A measurement that gave no figure, and why. */
export interface Failure {
  readonly world: string;
  readonly measurement: string;
  readonly path: Path;
  readonly error: string;
}

type Taken = Record<Path, (Metrics | null)[]>;

/**
 * Measures everything of one world: in each round each measurement on one path after the other, with another path going first each time, so that whatever else the machine does meets all alike.
 */
export async function measureWorld(
  world: World,
  measurements: readonly Measurement[],
  options: MeasureOptions,
): Promise<{ samples: ReadonlyMap<Measurement, Samples>; failures: Failure[] }> {
  const samples = new Map<Measurement, Taken>(
    measurements.map((measurement) => [measurement, perPath((): (Metrics | null)[] => [])]),
  );
  const failures: Failure[] = [];
  const during = (when: Measurement['when']): Measurement[] =>
    measurements.filter((measurement) => (measurement.when ?? 'round') === when);
  const take = async (measurement: Measurement, round: number): Promise<void> => {
    const paths = (measurement.paths ?? PATHS).filter((path) => world.ways[path] !== undefined);
    for (const path of rotated(paths, round)) {
      options.signal.throwIfAborted();
      const way = world.ways[path];
      if (way === undefined) continue;
      const at = `${world.name} ${round + 1} ${measurement.name} ${path}`;
      try {
        const metrics = await measure(measurement, way, options);
        samples.get(measurement)?.[path].push(metrics);
        options.say(`${at}: ${shown(measurement, metrics)}`);
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        samples.get(measurement)?.[path].push(null);
        failures.push({ world: world.name, measurement: measurement.name, path, error: why });
        options.say(`${at}: FAILED: ${why}`);
      }
    }
  };
  for (const measurement of during('first')) await take(measurement, 0);
  const isRepeated = ({ onceIfQuick }: Measurement): boolean => !options.quick || onceIfQuick !== true;
  let roundMs = 0;
  for (let round = 0; round < options.rounds; round++) {
    if (round > 0 && performance.now() + roundMs > options.roundsUntil) {
      options.say(`${world.name}: there is time for ${round} rounds`);
      break;
    }
    roundMs = 0;
    for (const measurement of during('round').filter((each) => round === 0 || isRepeated(each))) {
      const began = performance.now();
      await take(measurement, round);
      if (isRepeated(measurement)) roundMs += performance.now() - began;
    }
  }
  for (const measurement of during('last')) await take(measurement, 0);
  return { samples, failures };
}

async function measure(
  { work }: Measurement,
  { target, processes }: Way,
  { load, quick, soakMinutes }: MeasureOptions,
): Promise<Metrics> {
  if ('memory' in work) {
    if (processes === undefined) throw new Error('a path without programs has no memory');
    return await measureMemory(work.memory, { load, target, processes, soakMinutes });
  }
  const params = quick ? { ...work.full, ...work.quick } : work.full;
  const more = work.scenario === 'watch' ? { writer: target } : {};
  const before = processes && (await cpuOf(processes));
  const metrics = await load.run(work.scenario, target, { ...params, ...more });
  if (before === undefined || processes === undefined || work.scenario !== 'get') return metrics;
  const after = await cpuOf(processes);
  const requests = Number(params['requests']) + Number(params['warm'] ?? 0);
  return {
    ...metrics,
    serverCpu: (after.server - before.server) / requests,
    agentCpu: (after.agent - before.agent) / requests,
  };
}

async function cpuOf(processes: PathProcesses): Promise<{ server: number; agent: number }> {
  const [server, agent] = await Promise.all([cpuMicroseconds(processes.server()), cpuMicroseconds(processes.agent())]);
  return { server, agent };
}

/** What a measurement's rows are about, in one line. */
function shown({ rows }: Measurement, metrics: Metrics): string {
  const names = [...new Set(rows.map(({ metric }) => metric))];
  return names
    .filter((name) => metrics[name] !== undefined)
    .map((name) => `${name} ${metrics[name]?.toFixed(2)}`)
    .join(', ');
}
