import { Argument, type Command, InvalidArgumentError, Option } from 'commander';
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

/** What is completed in an argument's place; looked up by the command's words. */
export const COMPLETIONS = {
  clusters: ['clusters get', 'clusters rm', 'kubeconfig add', 'kubeconfig print'],
  contexts: ['kubeconfig rm'],
  users: ['users enable', 'users disable', 'users rm'],
  tokens: ['tokens revoke'],
  servers: ['servers use', 'servers rm'],
} as const;

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** `90s`, `30m`, `12h`, `30d`: seconds. */
export function duration(text: string): number {
  const [, number = '', unit = ''] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  const seconds = Number(number) * (UNITS[unit] ?? 0);
  if (seconds < 1) throw new InvalidArgumentError('Write a number with s, m, h or d, such as 30d.');
  return seconds;
}

/** An argument that names clusters. */
export const clustersArgument = (): Argument => new Argument('[cluster...]', 'names or ids of clusters');
