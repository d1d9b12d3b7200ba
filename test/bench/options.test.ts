import { describe, expect, it } from 'vitest';
import { Problem } from '#scripts/lib/problem.ts';
import { readOptions } from './options.ts';

const read = (...args: string[]) => readOptions(args, '/home/somebody');

describe('npm run bench', () => {
  it('measures everything in five rounds with a minute of soak, unless told otherwise', () => {
    expect(read()).toMatchObject({ quick: false, rounds: 5, soakMinutes: 1, rows: undefined, json: undefined });
    expect(read().paths).toEqual(['direct', 'outrider', 'remotedialer', 'konnectivity']);
  });
  it('--quick means three rounds and no soak, unless these are asked for', () => {
    expect(read('--quick')).toMatchObject({ quick: true, rounds: 3, soakMinutes: 0 });
    expect(read('--quick', '--rounds', '1', '--soak', '10')).toMatchObject({ rounds: 1, soakMinutes: 10 });
  });
  it('takes a relative result file from where the person is', () => {
    expect(read('--json', 'out/result.json').json).toBe('/home/somebody/out/result.json');
  });
  it('takes rows by a regular expression', () => {
    expect(read('--rows', '^bare/.*p99').rows?.test('bare/get-1kb-serial p99')).toBe(true);
  });
  it.each([
    [['--rounds', '0'], '--rounds must be a whole number from 1'],
    [['--rounds', 'many'], '--rounds must be'],
    [['--soak', '-1'], '--soak'],
    [['--soak', '99999'], '--soak must be'],
    [['--rows', '('], '--rows'],
    [['--paths', 'outrider,frp'], "no path 'frp'"],
    [['--fast'], '--fast'],
    [['quick'], 'quick'],
  ])('refuses %j in one line that says what to do', (args, message) => {
    expect(() => read(...args)).toThrow(Problem);
    expect(() => read(...args)).toThrow(message);
    expect(() => read(...args)).toThrow('--help');
  });
});
