/** Figures are no more exact than this, whatever a clock says. */
const SIGNIFICANT = 3;

/** Three significant digits, never an exponent: `0.0123`, `1.23`, `123`, `12,345`. */
export function formatFigure(value: number): string {
  if (!Number.isFinite(value)) return '–';
  return value.toLocaleString('en', {
    maximumFractionDigits: fractionDigits(value),
    minimumFractionDigits: Math.min(2, fractionDigits(value)),
  });
}

/** Of figures above 100 none, of those under 0.001 no more than microseconds need. */
function fractionDigits(value: number): number {
  const magnitude = Math.abs(value);
  if (magnitude === 0) return 0;
  const before = Math.floor(Math.log10(magnitude)) + 1;
  return Math.min(4, Math.max(0, SIGNIFICANT - before));
}
