import { describe, expect, it } from 'vitest';
import { perPath } from '../paths.ts';
import type { Measurement, Row } from '../rows/row.ts';
import { formatFigure } from './format.ts';
import { renderSummary, renderTable } from './report.ts';
import { resultsOf, type Samples } from './results.ts';
import { judge } from './verdict.ts';

const p50: Row = { metric: 'p50', label: 'p50', unit: 'ms', better: 'lower' };

const measurement = (...rows: Row[]): Measurement => ({
  name: 'get',
  work: { scenario: 'get', full: {}, quick: {} },
  rows,
});

const samples = (figures: Partial<Record<'direct' | 'outrider' | 'remotedialer', (number | null)[]>>): Samples => ({
  ...perPath(() => []),
  ...Object.fromEntries(
    Object.entries(figures).map(([path, values]) => [path, values.map((value) => value && { p50: value })]),
  ),
});

describe('a line of the result', () => {
  it('holds the median of the rounds for each path, and null where a path took no part', () => {
    const [line] = resultsOf('bare', measurement(p50), samples({ direct: [1, 3, 2], outrider: [5, 4, 9] }));
    expect(line).toMatchObject({
      row: 'bare/get p50',
      unit: 'ms',
      rounds: 3,
      direct: 2,
      outrider: 5,
      remotedialer: null,
      konnectivity: null,
    });
  });

  it('leaves out the rounds in which a path failed, and does not count them as nothing', () => {
    const [line] = resultsOf('bare', measurement(p50), samples({ direct: [1, 1, 1], outrider: [null, 4, 6] }));
    expect(line?.outrider).toBe(5);
    expect(line?.samples.outrider).toEqual([4, 6]);
  });

  it('takes what is added from the same round, not from the medians', () => {
    const added: Row = { ...p50, label: 'added p50', added: true };
    // The machine was slow in the second round, for both: two medians would say 7.
    const [line] = resultsOf('bare', measurement(added), samples({ direct: [1, 10, 2], outrider: [2, 11, 9] }));
    expect(line).toMatchObject({ row: 'bare/get added p50', direct: null, outrider: 1 });
  });

  it('adds nothing in a round that direct lacks', () => {
    const added: Row = { ...p50, added: true };
    const [line] = resultsOf('bare', measurement(added), samples({ direct: [1, null], outrider: [2, 9] }));
    expect(line?.samples.outrider).toEqual([1]);
  });
});

describe('a verdict', () => {
  const figures = (outrider: number | null, direct: number | null = null, remotedialer: number | null = null) => ({
    direct,
    outrider,
    remotedialer,
    konnectivity: null,
  });

  it('of a latency is met at the limit and missed above it', () => {
    expect(judge({ limit: 0.8 }, { better: 'lower' }, figures(0.8))).toEqual({ met: true, text: '0.80, wanted ≤ 0.8' });
    expect(judge({ limit: 0.8 }, { better: 'lower' }, figures(0.81))?.met).toBe(false);
  });
  it('of a rate is met at the limit and missed below it', () => {
    expect(judge({ limit: 100 }, { better: 'higher' }, figures(100))?.met).toBe(true);
    expect(judge({ limit: 100 }, { better: 'higher' }, figures(99))?.met).toBe(false);
  });
  it('beside another path is by the multiple', () => {
    const goal = { times: 0.5, of: 'direct' } as const;
    expect(judge(goal, { better: 'higher' }, figures(600, 1000))?.met).toBe(true);
    expect(judge(goal, { better: 'higher' }, figures(400, 1000))).toEqual({
      met: false,
      text: '0.40 × direct, wanted ≥ 0.5 ×',
    });
  });
  it('is none where a figure is missing', () => {
    expect(judge({ limit: 1 }, { better: 'lower' }, figures(null, 1))).toBeNull();
    expect(judge({ times: 1.3, of: 'remotedialer' }, { better: 'higher' }, figures(1, 1))).toBeNull();
  });
});

describe('the table', () => {
  const row: Row = { ...p50, goals: [{ limit: 3 }, { times: 1.5, of: 'remotedialer' }] };
  const [line] = resultsOf(
    'bare',
    measurement(row),
    samples({ direct: [1, 1], outrider: [4, 4], remotedialer: [3, 3] }),
  );
  const results = line ? [line] : [];

  it('shows figures, ratios and verdicts of a line', () => {
    const [, text = ''] = renderTable(results).split('\n');
    expect(text.replaceAll(/ {2,}/g, ' | ')).toBe(
      'bare/get p50 | ms | 1.00 | 4.00 | 3.00 | – | 4.00 | 3.00 | – | 1.33 | MISSED: 4.00, wanted ≤ 3; met: 1.33 × remotedialer, wanted ≤ 1.5 ×',
    );
  });
  it('aligns its columns', () => {
    const [head = '', text = ''] = renderTable(results).split('\n');
    expect(text.indexOf('ms')).toBe(head.indexOf('unit'));
  });
  it('shows no multiple of nothing or less', () => {
    const early = resultsOf('api', measurement(p50), samples({ direct: [-0.1], outrider: [0.1] }));
    expect(renderTable(early).split('\n')[1]).toMatch(/-0\.10 +0\.10( +–){6}$/);
  });
  it('sums up, and names what was missed', () => {
    expect(renderSummary(results)).toBe('1 of 2 goals met\nmissed: bare/get p50: 4.00, wanted ≤ 3');
  });
});

describe('a figure', () => {
  it.each([
    [0, '0'],
    [0.01234, '0.0123'],
    [1.234, '1.23'],
    [12.34, '12.3'],
    [123.4, '123'],
    [12_345.6, '12,346'],
    [-0.5, '-0.50'],
    [Number.POSITIVE_INFINITY, '–'],
  ])('%d is shown as %s', (value, text) => {
    expect(formatFigure(value)).toBe(text);
  });
});
