import { type Path, type PerPath, perPath } from '../paths.ts';
import { type Measurement, type Row, rowName, type WorldName } from '../rows/row.ts';
import type { Metrics } from '../run/load.ts';
import { median } from './statistics.ts';
import { judge, type Verdict } from './verdict.ts';

/** What was measured on each path, by round; null where it failed or did not take part. */
export type Samples = PerPath<readonly (Metrics | null)[]>;

/** One line of the result: medians over the rounds. */
export interface RowResult extends PerPath<number | null> {
  readonly row: string;
  readonly unit: Row['unit'];
  readonly better: Row['better'];
  /** How many rounds there were. */
  readonly rounds: number;
  /** The figures of which these are the medians, in the order of the rounds. */
  readonly samples: PerPath<readonly number[]>;
  readonly verdicts: readonly Verdict[];
}

/** The lines that a measurement gives. */
export function resultsOf(world: WorldName, measurement: Measurement, samples: Samples): RowResult[] {
  return measurement.rows.map((row) => resultOf(rowName(world, measurement, row), row, samples));
}

function resultOf(name: string, row: Row, samples: Samples): RowResult {
  const figures = perPath((path) => figuresOf(row, path, samples));
  const medians = perPath((path) => (figures[path].length === 0 ? null : median(figures[path])));
  return {
    row: name,
    unit: row.unit,
    better: row.better,
    ...medians,
    rounds: Math.max(...Object.values(samples).map(({ length }) => length)),
    samples: figures,
    verdicts: (row.goals ?? []).map((goal) => judge(goal, row, medians)).filter((verdict) => verdict !== null),
  };
}

function figuresOf(row: Row, path: Path, samples: Samples): number[] {
  // Nothing is added to direct.
  if (row.added && path === 'direct') return [];
  return samples[path]
    .map((metrics, round) => {
      const figure = metrics?.[row.metric];
      if (!row.added) return figure;
      // Of the same round: what else the machine did then, it did to both.
      const base = samples.direct[round]?.[row.metric];
      return figure === undefined || base === undefined ? undefined : figure - base;
    })
    .filter((figure) => figure !== undefined);
}
