/** The middle value, or the mean of the two in the middle. @throws RangeError for none. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('no median of no values');
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** Start of the order of a round: who goes first changes, so that what drifts (caches, the machine's clock) meets everyone alike. */
export function rotated<T>(items: readonly T[], by: number): T[] {
  const from = items.length === 0 ? 0 : by % items.length;
  return [...items.slice(from), ...items.slice(0, from)];
}

/** What is compared for growth: memory settles during the first part of a load, which is therefore left out. */
const PARTS = 3;

/**
 * How much a series rose, in percent, from the median of its second third to the median of its last. A leak rises on; a heap that has found its size does not.
 * @throws RangeError for fewer than six values.
 */
export function growth(series: readonly number[]): number {
  const part = Math.floor(series.length / PARTS);
  if (part < 2) throw new RangeError(`growth needs ${2 * PARTS} values, not ${series.length}`);
  const before = median(series.slice(part, 2 * part));
  return (median(series.slice(-part)) / before - 1) * 100;
}
