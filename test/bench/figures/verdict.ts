import type { PerPath } from '../paths.ts';
import type { Goal, Row } from '../rows/row.ts';
import { formatFigure } from './format.ts';

/** Whether Outrider's figure is what a goal asks. */
export interface Verdict {
  readonly met: boolean;
  /** Such as `0.62 ≤ 0.8` or `0.41 × direct, wanted ≥ 0.5 ×`. */
  readonly text: string;
}

/** @returns null where a figure that it takes is missing. */
export function judge(goal: Goal, row: Pick<Row, 'better'>, figures: PerPath<number | null>): Verdict | null {
  const { outrider } = figures;
  if (outrider === null) return null;
  const sign = row.better === 'lower' ? '≤' : '≥';
  const within = (value: number, bound: number): boolean => (row.better === 'lower' ? value <= bound : value >= bound);
  if ('limit' in goal) {
    const met = within(outrider, goal.limit);
    return { met, text: `${formatFigure(outrider)}, wanted ${sign} ${goal.limit}` };
  }
  const other = figures[goal.of];
  if (other === null) return null;
  // Not by the quotient: what a path adds can be nothing, or less.
  const met = within(outrider, goal.times * other);
  const multiple = other > 0 ? formatFigure(outrider / other) : '–';
  return { met, text: `${multiple} × ${goal.of}, wanted ${sign} ${goal.times} ×` };
}
