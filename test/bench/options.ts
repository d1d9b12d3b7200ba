import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Problem, reasonOf } from '#scripts/lib/problem.ts';
import { type Path, PATHS } from './paths.ts';

/** What `npm run bench` was asked for, checked. */
export interface Options {
  readonly quick: boolean;
  /** Absolute path of the result file. */
  readonly json: string | undefined;
  readonly rows: RegExp | undefined;
  readonly paths: readonly Path[];
  readonly rounds: number;
  /** 0: no soak. */
  readonly soakMinutes: number;
  readonly help: boolean;
}

export const HELP = `Measures Outrider beside what a person would use instead, on this machine alone (Linux).

Usage: npm run bench -- [option…]

  --quick               smaller loads: 3 minutes instead of 20
  --rows <pattern>      only what has a row that matches this regular expression, such as 'bare/get' or 'p99'
  --paths <names>       besides direct only these, by comma: ${PATHS.slice(1).join(', ')}
  --rounds <number>     how often everything is measured; figures are medians (default 5, with --quick 3)
  --soak <minutes>      how long memory is watched under load (default 1, with --quick 0: not at all)
  --json <file>         also write the result there
  --help                print this

The table goes to stdout, progress to stderr. test/bench/README.md explains each row.
`;

const DEFAULTS = { full: { rounds: 5, soak: 1 }, quick: { rounds: 3, soak: 0 } };
/** More rounds than anybody waits for are a slip of the hand. */
const MOST_ROUNDS = 100;
const MOST_SOAK_MINUTES = 24 * 60;

const wrong = (message: string): Problem =>
  new Problem(`${message} (npm run bench -- --help lists the options)`, { exitCode: 2 });

/**
 * Reads the command line.
 * @param cwd what relative paths are relative to
 * @throws {Problem} with exit code 2 and what is wrong.
 */
export function readOptions(args: readonly string[], cwd: string): Options {
  const given = parse(args);
  const quick = given.quick ?? false;
  const defaults = quick ? DEFAULTS.quick : DEFAULTS.full;
  return {
    quick,
    json: given.json === undefined ? undefined : resolve(cwd, given.json),
    rows: given.rows === undefined ? undefined : pattern(given.rows),
    paths: given.paths === undefined ? PATHS : paths(given.paths),
    rounds: given.rounds === undefined ? defaults.rounds : whole('--rounds', given.rounds, 1, MOST_ROUNDS),
    soakMinutes: given.soak === undefined ? defaults.soak : whole('--soak', given.soak, 0, MOST_SOAK_MINUTES),
    help: given.help ?? false,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        quick: { type: 'boolean' },
        json: { type: 'string' },
        rows: { type: 'string' },
        paths: { type: 'string' },
        rounds: { type: 'string' },
        soak: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    const [first = ''] = reasonOf(error).split(/\n|\. /);
    throw wrong(first.replace(/\.$/, ''));
  }
}

function whole(option: string, text: string, least: number, most: number): number {
  const value = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most)) {
    throw wrong(`${option} must be a whole number from ${least} to ${most}, not '${text}'`);
  }
  return value;
}

function pattern(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch (error) {
    throw wrong(`--rows: ${reasonOf(error)}`);
  }
}

function paths(text: string): Path[] {
  const names = text.split(',');
  const unknown = names.find((name) => !PATHS.some((path) => path === name));
  if (unknown !== undefined) throw wrong(`--paths: there is no path '${unknown}', only ${PATHS.join(', ')}`);
  return PATHS.filter((path) => names.includes(path));
}
