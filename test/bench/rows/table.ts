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
