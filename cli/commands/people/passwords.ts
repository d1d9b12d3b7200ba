import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import { base32 } from '#schema/ids.ts';
import { endpointsOf } from '#schema/resources/endpoints.ts';
import { UserKind } from '#schema/resources/kinds/users.ts';
import { Failure, oneLine } from '../../exits.ts';
import type { Io } from '../../io.ts';
import { showOne } from '../../output/format.ts';
import { USERS, type UserRow } from '../../output/kinds.ts';
import { openSession } from '../../session.ts';
import { question, readLines } from '../../signin/prompt.ts';
import { findUser } from '../find.ts';
import { type OutputOptions, withExamples, withOutput } from '../options.ts';

interface PasswordOptions extends OutputOptions {
  readonly passwordStdin?: boolean;
}

interface CreateOptions extends PasswordOptions {
  readonly administrator?: boolean;
}

const users = endpointsOf(UserKind);

/** 128 bits: nobody guesses it in the time that it is good. */
const ONE_TIME_BYTES = 16;

const STDIN = ['--password-stdin', 'read the one-time password from standard input'] as const;

/** What gives somebody a one-time password. */
export function addPasswords(group: Command, io: Io): void {
  const create = withOutput(
    group
      .command('create')
      .description('add somebody, with a one-time password that is printed once')
      .argument('<name>', 'the name they sign in with'),
  )
    .option('--administrator', 'who may do everything')
    .option(...STDIN)
    .action(async (name: string, options: CreateOptions) => {
      const { api } = await openSession(io, options);
      const { password, given } = await oneTimePassword(io, name, options);
      const spec = { password, administrator: options.administrator === true };
      const user = await api.call(users.create, { body: { metadata: { name }, spec } });
      show(io, options, user, given ? undefined : password);
    });
  withExamples(create, 'outrider users create ann', 'outrider users create bob --administrator');

  const reset = withOutput(
    group
      .command('reset-password')
      .description('give somebody a one-time password in place of their own; ends their sessions and tokens')
      .argument('<name>', 'name or id'),
  )
    .option(...STDIN)
    .action(async (name: string, options: PasswordOptions) => {
      const { api } = await openSession(io, options);
      const { id } = await findUser(api, name);
      const { password, given } = await oneTimePassword(io, name, options);
      const user = await api.call(users.actions['reset-password'], { params: { user: id }, body: { password } });
      show(io, options, user, given ? undefined : password);
    });
  withExamples(reset, 'outrider users reset-password ann', 'outrider users reset-password ann --password-stdin < file');
}

async function oneTimePassword(
  io: Io,
  name: string,
  options: PasswordOptions,
): Promise<{ password: string; given: boolean }> {
  if (options.passwordStdin !== true) return { password: base32(randomBytes(ONE_TIME_BYTES)), given: false };
  if (io.terminal.in) {
    // Who forgets the `<` would sit before nothing.
    return { password: await question(io, `One-time password of ${oneLine(name)}: `, { hidden: true }), given: true };
  }
  const [password = ''] = await readLines(io);
  if (password === '') throw new Failure('usage', 'the password is expected on standard input, as its first line');
  return { password, given: true };
}

/** @param made the password that nobody else knows yet */
function show(io: Io, { output }: OutputOptions, user: UserRow, made: string | undefined): void {
  showOne(io, output, USERS, made === undefined ? user : { ...user, oneTimePassword: made });
  if (made === undefined || output === 'json' || output === 'yaml') return;
  // In a table and a list of names there is no place for it.
  io.say(`One-time password of ${oneLine(user.metadata.name)}: ${made}`);
}
