import { apiMeasurements } from './api.ts';
import { bareMeasurements } from './bare.ts';
import { memoryMeasurements } from './memory.ts';
import type { Measurement, WorldName } from './row.ts';
import { rowName } from './row.ts';
import { wanMeasurements } from './wan.ts';

/** Everything that can be measured, by world, in the order in which it is. */
export const TABLE: Readonly<Record<WorldName, readonly Measurement[]>> = {
  bare: [...bareMeasurements, ...memoryMeasurements],
  wan: wanMeasurements,
  api: apiMeasurements,
};

/**
 * Seconds that a world's start and rounds may take: a round that would not end by then is not begun, so that a slow machine makes fewer rounds and not a longer run. With what is measured
 * once, and the soak, they add up to the 3 and 20 minutes that `--help` names.
 */
export const BUDGETS: Readonly<Record<'quick' | 'full', Readonly<Record<WorldName, number>>>> = {
  quick: { bare: 75, wan: 30, api: 50 },
  full: { bare: 560, wan: 180, api: 330 },
};

/** What of {@link TABLE} is to be done: every measurement with a line whose name matches. A world without one is not started. */
export function selectMeasurements(pattern: RegExp | undefined, soak: boolean): [WorldName, readonly Measurement[]][] {
  const worlds: readonly WorldName[] = ['bare', 'wan', 'api'];
  return worlds
    .map((world): [WorldName, readonly Measurement[]] => [
      world,
      TABLE[world].filter(
        (measurement) =>
          (soak || measurement.name !== 'soak') &&
          (pattern === undefined || measurement.rows.some((row) => pattern.test(rowName(world, measurement, row)))),
      ),
    ])
    .filter(([, measurements]) => measurements.length > 0);
}
