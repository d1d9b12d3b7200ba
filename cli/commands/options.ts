import { Argument, type Command, InvalidArgumentError, Option } from 'commander';
import { LONGEST_TOKEN_SECONDS } from '#schema/api/plane/settings.ts';
import { type Format, FORMATS } from '../output/format.ts';
import type { ServerOptions } from '../session.ts';

/** Options of a command that shows data. */
export interface OutputOptions extends ServerOptions {
  readonly output: Format;
}

/** `--server` and `--ca-file`, for whatever asks a plane. */
export function withServer(command: Command): Command {
  return command
    .option('--server <url>', 'plane to ask (OUTRIDER_SERVER); default: where you signed in last')
    .option('--ca-file <pem>', "the plane's CA, where it is not a public one (OUTRIDER_CA_FILE); kept at login");
}

/** The same, and `--output`. */
export function withOutput(command: Command): Command {
  return withServer(command).addOption(
    new Option('-o, --output <format>', 'how to print').choices(FORMATS).default('table'),
  );
}

/** Adds examples below a command's help. */
export function withExamples(command: Command, ...lines: readonly string[]): Command {
  return command.addHelpText('after', `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}`);
}

/** What is typed to call a command. */
export const wordsOf = (command: Command): string[] =>
  command.parent === null ? [command.name()] : [...wordsOf(command.parent), command.name()];

/** What names are completed with. */
export type Names = 'clusters' | 'contexts' | 'groups' | 'servers' | 'tokens' | 'users';

/** What is completed in the place of a command's arguments, by the command's words; the last is for all that follow. */
export const COMPLETIONS: Readonly<Record<string, readonly Names[]>> = {
  'clusters get': ['clusters'],
  'clusters rm': ['clusters'],
  'clusters roles': ['clusters'],
  'clusters grant': ['clusters'],
  'clusters revoke': ['clusters'],
  'kubeconfig add': ['clusters'],
  'kubeconfig print': ['clusters'],
  'kubeconfig rm': ['contexts'],
  'users get': ['users'],
  'users update': ['users'],
  'users enable': ['users'],
  'users disable': ['users'],
  'users groups': ['users'],
  'users reset-password': ['users'],
  'users sign-out': ['users'],
  'users rm': ['users'],
  'groups get': ['groups'],
  'groups rm': ['groups'],
  'groups members list': ['groups'],
  'groups members add': ['groups', 'users'],
  'groups members rm': ['groups', 'users'],
  'tokens revoke': ['tokens'],
  'servers use': ['servers'],
  'servers rm': ['servers'],
};

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** `90s`, `30m`, `12h`, `30d`: seconds. */
function duration(text: string): number {
  const [, number = '', unit = ''] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  const seconds = Number(number) * (UNITS[unit] ?? 0);
  if (seconds < 1) throw new InvalidArgumentError('Write a number with s, m, h or d, such as 30d.');
  return seconds;
}

/** An option that is a duration. @param otherwise what it is where nobody names it */
export function durationOption(flags: string, description: string, otherwise?: string): Option {
  const option = new Option(flags, description).argParser(duration);
  // Seconds would be shown as the default.
  return otherwise === undefined ? option : option.default(duration(otherwise), otherwise);
}

/** How long a token is good. */
export const ttlOption = (otherwise: string | undefined, description: string): Option =>
  durationOption('--ttl <time>', description, otherwise).argParser((text) => {
    const seconds = duration(text);
    if (seconds > LONGEST_TOKEN_SECONDS) {
      throw new InvalidArgumentError(`The longest is ${LONGEST_TOKEN_SECONDS / 86_400}d.`);
    }
    return seconds;
  });

/** An argument that names clusters. */
export const clustersArgument = (): Argument => new Argument('[cluster...]', 'names or ids of clusters');
