import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import { base32 } from '#schema/ids.ts';
import { endpointsOf } from '#schema/resources/endpoints.ts';
import { UserKind } from '#schema/resources/kinds/users.ts';
import { Failure, oneLine } from '../exits.ts';
import type { Io } from '../io.ts';
import { showList, showOne } from '../output/format.ts';
import { USERS } from '../output/kinds.ts';
import { openSession, type ServerOptions } from '../session.ts';
import { confirm, readLines } from '../signin/prompt.ts';
import { findUser, listUsers } from './find.ts';
import { type OutputOptions, withExamples, withOutput, withServer } from './options.ts';

interface CreateOptions extends OutputOptions {
  readonly administrator?: boolean;
  readonly passwordStdin?: boolean;
}

const users = endpointsOf(UserKind);

/** 125 bits: nobody guesses it in the time that it is good. */
const ONE_TIME_BYTES = 16;

export function addUsers(parent: Command, io: Io): void {
  const group = parent.command('users').alias('user').description('the people of a plane (for administrators)');

  const list = withOutput(group.command('list').alias('ls').description('list them')).action(
    async (options: OutputOptions) => {
      const { api } = await openSession(io, options);
      showList(io, options.output, USERS, await listUsers(api));
    },
  );
  withExamples(list, 'outrider users list', 'outrider users list -o json');

  const create = withOutput(
    group
      .command('create')
      .description('add somebody, with a one-time password that is printed once')
      .argument('<name>', 'the name they sign in with'),
  )
    .option('--administrator', 'who may do everything')
    .option('--password-stdin', 'read the one-time password from standard input')
    .action((username: string, options: CreateOptions) => createOne(io, username, options));
  withExamples(create, 'outrider users create ann', 'outrider users create bob --administrator');

  for (const [word, enabled, description] of [
    ['enable', true, 'let somebody in again'],
    ['disable', false, 'keep somebody out: their tokens stop working within seconds'],
  ] as const) {
    const command = withServer(group.command(word).description(description).argument('<name>', 'name or id')).action(
      async (name: string, options: ServerOptions) => {
        const session = await openSession(io, options);
        const { id, metadata } = await findUser(session, name);
        await session.api.call(users.patch, { params: { user: id }, body: { spec: { enabled } } });
        io.say(`${oneLine(metadata.name)} is ${word}d.`);
      },
    );
    withExamples(command, `outrider users ${word} ann`);
  }

  const rm = withServer(
    group
      .command('rm')
      .alias('delete')
      .description('remove somebody, with their roles and tokens')
      .argument('<name>', 'name or id'),
  )
    .option('-y, --yes', 'do not ask')
    .action(async (name: string, options: ServerOptions & { yes?: boolean }) => {
      const session = await openSession(io, options);
      const { id, metadata } = await findUser(session, name);
      await confirm(io, `Remove ${oneLine(metadata.name)} with their roles and tokens?`, options.yes === true);
      await session.api.call(users.delete, { params: { user: id } });
      io.say(`Removed ${oneLine(metadata.name)}.`);
    });
  withExamples(rm, 'outrider users rm ann', 'outrider users rm ann --yes');
}

async function createOne(io: Io, username: string, options: CreateOptions): Promise<void> {
  const { api } = await openSession(io, options);
  const given = options.passwordStdin === true ? (await readLines(io))[0] : undefined;
  if (given === '') throw new Failure('usage', 'the password is expected on standard input, as its first line');
  const password = given ?? base32(randomBytes(ONE_TIME_BYTES));
  const user = await api.call(users.create, {
    body: { metadata: { name: username }, spec: { password, administrator: options.administrator === true } },
  });
  const shown = given === undefined ? { ...user, oneTimePassword: password } : user;
  showOne(io, options.output, USERS, shown);
  if (given !== undefined || options.output === 'json' || options.output === 'yaml') return;
  // In a table and a list of names there is no place for it.
  io.say(`One-time password of ${oneLine(user.metadata.name)}: ${password}`);
}
