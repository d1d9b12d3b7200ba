import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import * as ofProtocol from '#schema/protocol/limits.ts';
import * as ofObject from '#workers/cluster/limits.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** A row of the page: where its limit is, its name, its value, and the test or why there is none. */
interface Row {
  section: string;
  name: string;
  /** Behind the name, where it is ambiguous. */
  file: string | undefined;
  value: string;
  test: string;
}

const rows: Row[] = read('schema/protocol/limits.md')
  .split('\n## ')
  .slice(1)
  .flatMap((text) => {
    const section = text.split('\n', 1)[0] ?? '';
    return [...text.matchAll(/^\| `([A-Z_]+)`(?: \((\S+)\))? \| ([^|]+) \|[^|]+\|[^|]+\| (.+) \|$/gm)].map(
      ([, name = '', file, value = '', test = '']): Row => ({ section, name, file, value, test }),
    );
  });

const UNITS: Readonly<Record<string, number>> = { KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, s: 1000, ms: 1 };

/** `64 KiB`, `1,000`, `10 s`. */
function parseValue(text: string): number {
  const [, number = '', unit] = /^([\d,.]+)(?: (\w+))?$/.exec(text) ?? [];
  return Number(number.replaceAll(',', '')) * (unit === undefined ? 1 : (UNITS[unit] ?? Number.NaN));
}

/** What stands in the agent's sources: `16 * 1024 * 1024`, `60_000`. */
function evaluate(source: string): number {
  return source.split('*').reduce((product, factor) => product * Number(factor.trim().replaceAll('_', '')), 1);
}

const namesIn = (section: string): string[] =>
  rows.filter((row) => row.section.startsWith(section)).map(({ name }) => name);

describe.each([
  ['The protocol', ofProtocol],
  ['A cluster', ofObject],
])('%s', (section, limits: object) => {
  test('every limit has one row, and every row a limit', () => {
    expect(namesIn(section).toSorted()).toEqual(Object.keys(limits).toSorted());
  });

  test.each(Object.entries(limits))('%s has the value that the page says', (name, value: unknown) => {
    const said = rows.find((row) => row.section.startsWith(section) && row.name === name)?.value ?? '';
    if (typeof value === 'number') expect(parseValue(said)).toBe(value);
    else if (typeof value === 'object' && value !== null && 'burst' in value && 'perSecond' in value) {
      const [perSecond = '', burst = ''] = said.match(/[\d,]+/g)?.filter((digits) => digits !== ',') ?? [];
      expect({ perSecond: parseValue(perSecond), burst: parseValue(burst) }).toEqual(value);
    } else expect(said).toBe('see there');
  });
});

describe('The agent', () => {
  const found = ['agent', 'ldap']
    .flatMap((folder) =>
      readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((file) => join(folder, file)),
    )
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .flatMap((file) =>
      [...read(file).matchAll(/^(?:export )?const (MAX_[A-Z_]+|[A-Z_]+_BYTES) = ([\d_ *]+);$/gm)].map(
        ([, name = '', source = '']) => ({ file, name, source }),
      ),
    );

  test('every limit has one row, and every row a limit', () => {
    expect(namesIn('The agent').toSorted()).toEqual(found.map(({ name }) => name).toSorted());
  });

  test.each(found)('$name in $file has the value that the page says', ({ file, name, source }) => {
    const row = rows.find(
      (one) =>
        one.section.startsWith('The agent') && one.name === name && (one.file === undefined || file.endsWith(one.file)),
    );
    expect(parseValue(row?.value ?? '')).toBe(evaluate(source));
  });
});

test.each(rows)('$name is reached by a test that is there, or it is said why not', ({ test: said }) => {
  if (/^none: \S/.test(said)) return;
  const [, file = '', name = ''] = /^`(\S+\.test\.ts)`: (.+)$/.exec(said) ?? [];
  expect(read(file)).toContain(name);
});
