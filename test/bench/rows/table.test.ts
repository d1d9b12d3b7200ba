import { describe, expect, it } from 'vitest';
import type { Measurement } from './row.ts';
import { rowName, type WorldName } from './row.ts';
import { BUDGETS, selectMeasurements, TABLE } from './table.ts';

const all = Object.entries(TABLE) as [WorldName, readonly Measurement[]][];
const rows = all.flatMap(([world, measurements]) =>
  measurements.flatMap((measurement) =>
    measurement.rows.map((row) => ({ name: rowName(world, measurement, row), row, measurement })),
  ),
);
const goalsOf = (name: string) => rows.find((each) => each.name === name)?.row.goals;

describe('the table of rows', () => {
  it('names every row once', () => {
    expect(new Set(rows.map(({ name }) => name)).size).toBe(rows.length);
  });

  it('judges by every figure that the issue asks for', () => {
    expect(goalsOf('api/get-1kb-serial added p50')).toEqual([{ limit: 1 }]);
    expect(goalsOf('api/get-1kb-64way rate')).toEqual([{ times: 0.5, of: 'direct' }]);
    expect(goalsOf('api/get-1kb-beside-8-lists p50')).toEqual([{ times: 2, of: 'direct' }]);
    expect(goalsOf('bare/get-1kb-serial added p50')).toEqual([{ limit: 0.8 }, { times: 1.5, of: 'remotedialer' }]);
    expect(goalsOf('bare/get-1kb-serial p99')).toEqual([{ limit: 10 }]);
    expect(goalsOf('bare/get-1kb-64way rate')).toEqual([{ times: 0.5, of: 'remotedialer' }]);
    expect(goalsOf('bare/download MB/s')).toEqual([{ times: 1.3, of: 'remotedialer' }]);
    expect(goalsOf('bare/upload MB/s')).toEqual([{ times: 1.3, of: 'remotedialer' }]);
    expect(goalsOf('bare/get-1kb-beside-8-bulk p99')).toEqual([{ limit: 15 }, { times: 1, of: 'remotedialer' }]);
    expect(goalsOf('bare/events added p50')).toEqual([{ limit: 2 }]);
    expect(goalsOf('bare/exec rate')).toEqual([{ limit: 100 }]);
    expect(goalsOf('bare/live-streams open')).toEqual([{ limit: 1000 }]);
    expect(goalsOf('bare/memory-idle agent')).toEqual([{ limit: 80 }]);
    expect(goalsOf('bare/memory-100-downloads agent')).toEqual([{ limit: 150 }]);
    expect(goalsOf('wan/download-1-stream MB/s')).toEqual([{ limit: 40 }]);
    expect(goalsOf('wan/upload-1-stream MB/s')).toEqual([{ limit: 40 }]);
  });

  it('measures memory at idle before any load, and growth after all of it', () => {
    const when = (name: string) => TABLE.bare.find((measurement) => measurement.name === name)?.when;
    expect([when('memory-idle'), when('soak')]).toEqual(['first', 'last']);
    expect(TABLE.bare.at(-1)?.name).toBe('soak');
  });

  it('keeps to the minutes that --help names, with what is measured once besides', () => {
    const minutes = (of: 'quick' | 'full') => Object.values(BUDGETS[of]).reduce((sum, seconds) => sum + seconds) / 60;
    expect(minutes('quick')).toBeLessThan(3 - 0.3);
    expect(minutes('full')).toBeLessThan(20 - 1 - 0.5);
  });

  it('never makes a quick run do more than a full one', () => {
    for (const { work } of rows.map(({ measurement }) => measurement)) {
      if ('memory' in work) continue;
      for (const [name, value] of Object.entries(work.quick)) {
        if (typeof value === 'number') expect(value).toBeLessThanOrEqual(Number(work.full[name]));
      }
    }
  });
});

describe('--rows', () => {
  const names = (pattern: RegExp | undefined, soak = true) =>
    selectMeasurements(pattern, soak).map(([world, measurements]) => [world, measurements.map(({ name }) => name)]);

  it('selects measurements by any of their rows, and starts no world in vain', () => {
    expect(names(/64way rate/)).toEqual([
      ['bare', ['get-1kb-64way']],
      ['api', ['get-1kb-64way']],
    ]);
  });
  it('selects everything without a pattern, nothing where none matches', () => {
    expect(names(undefined).map(([world]) => world)).toEqual(['bare', 'wan', 'api']);
    expect(names(/nothing of that name/)).toEqual([]);
  });
  it('leaves the soak out where there is to be none', () => {
    expect(names(/soak/, false)).toEqual([]);
    expect(names(/soak/)).toEqual([['bare', ['soak']]]);
  });
});
