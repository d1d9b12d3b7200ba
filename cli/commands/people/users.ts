import type { Command } from 'commander';
import { deleteUserTokens } from '#schema/api/account/tokens.ts';
import { listUserGroups } from '#schema/api/people/group-members.ts';
import { endpointsOf } from '#schema/resources/endpoints.ts';
import { UserKind } from '#schema/resources/kinds/users.ts';
import { Failure, oneLine } from '../../exits.ts';
import type { Io } from '../../io.ts';
import { showFound, showList } from '../../output/format.ts';
import { USER_GROUPS, USERS } from '../../output/kinds.ts';
import { all, LARGE_PAGES } from '../../plane/api.ts';
import { openSession, type ServerOptions } from '../../session.ts';
import { confirm } from '../../signin/prompt.ts';
import { findUser, listUsers } from '../find.ts';
import { type OutputOptions, withExamples, withOutput, withServer } from '../options.ts';
import { addPasswords } from './passwords.ts';

interface UpdateOptions extends ServerOptions {
  readonly administrator?: boolean;
}

type RemovalOptions = ServerOptions & { readonly yes?: boolean };

const users = endpointsOf(UserKind);

export function addUsers(parent: Command, io: Io): void {
  const group = parent.command('users').alias('user').description('the people of a plane (for administrators)');

  const list = withOutput(group.command('list').alias('ls').description('list them')).action(
    async (options: OutputOptions) => {
      const { api } = await openSession(io, options);
      showList(io, options.output, USERS, await listUsers(api));
    },
  );
  withExamples(list, 'outrider users list', 'outrider users list -o json');

  const get = withOutput(group.command('get').description('show some').argument('<name...>', 'names or ids')).action(
    async (names: string[], options: OutputOptions) => {
      const { api } = await openSession(io, options);
      const found = [];
      for (const name of new Set(names)) found.push(await findUser(api, name));
      showFound(io, options.output, USERS, found);
    },
  );
  withExamples(get, 'outrider users get ann', 'outrider users get ann -o yaml');

  addPasswords(group, io);
  addChanges(group, io);
  addRemovals(group, io);
}

function addChanges(group: Command, io: Io): void {
  const update = withServer(
    group.command('update').description('change what somebody is').argument('<name>', 'name or id'),
  )
    .option('--administrator', 'who may do everything')
    .option('--no-administrator', 'who may do what their roles say')
    .action(async (name: string, options: UpdateOptions) => {
      const { administrator } = options;
      if (administrator === undefined) throw new Failure('usage', 'say --administrator or --no-administrator');
      const { api } = await openSession(io, options);
      const { id, metadata } = await findUser(api, name);
      await api.call(users.patch, { params: { user: id }, body: { spec: { administrator } } });
      io.say(`${oneLine(metadata.name)} is ${administrator ? 'an administrator' : 'no administrator'}.`);
    });
  withExamples(update, 'outrider users update ann --administrator', 'outrider users update ann --no-administrator');

  for (const [word, enabled, description] of [
    ['enable', true, 'let somebody in again'],
    ['disable', false, 'keep somebody out: their tokens stop working within seconds'],
  ] as const) {
    const command = withServer(group.command(word).description(description).argument('<name>', 'name or id')).action(
      async (name: string, options: ServerOptions) => {
        const { api } = await openSession(io, options);
        const { id, metadata } = await findUser(api, name);
        await api.call(users.patch, { params: { user: id }, body: { spec: { enabled } } });
        io.say(`${oneLine(metadata.name)} is ${word}d.`);
      },
    );
    withExamples(command, `outrider users ${word} ann`);
  }

  const groups = withOutput(
    group.command('groups').description('the groups that somebody is in').argument('<name>', 'name or id'),
  ).action(async (name: string, options: OutputOptions) => {
    const { api } = await openSession(io, options);
    const { id } = await findUser(api, name);
    const items = await all(api.items(listUserGroups, { params: { user: id }, query: LARGE_PAGES }));
    showList(io, options.output, USER_GROUPS, items);
  });
  withExamples(groups, 'outrider users groups ann');
}

function addRemovals(group: Command, io: Io): void {
  const signOut = withServer(
    group
      .command('sign-out')
      .description('take all tokens of somebody back, and end their sessions; they may sign in again')
      .argument('<name>', 'name or id'),
  )
    .option('-y, --yes', 'do not ask')
    .action(async (name: string, options: RemovalOptions) => {
      const { api } = await openSession(io, options);
      const { id, metadata } = await findUser(api, name);
      const shown = oneLine(metadata.name);
      await confirm(io, `Take back all tokens of ${shown}?`, options.yes === true);
      await api.call(deleteUserTokens, { params: { user: id } });
      io.say(`${shown} is signed out everywhere.`);
    });
  withExamples(signOut, 'outrider users sign-out ann', 'outrider users sign-out ann --yes');

  const rm = withServer(
    group
      .command('rm')
      .alias('delete')
      .description('remove somebody, with their roles and tokens')
      .argument('<name>', 'name or id'),
  )
    .option('-y, --yes', 'do not ask')
    .action(async (name: string, options: RemovalOptions) => {
      const { api } = await openSession(io, options);
      const { id, metadata } = await findUser(api, name);
      await confirm(io, `Remove ${oneLine(metadata.name)} with their roles and tokens?`, options.yes === true);
      await api.call(users.delete, { params: { user: id } });
      io.say(`Removed ${oneLine(metadata.name)}.`);
    });
  withExamples(rm, 'outrider users rm ann', 'outrider users rm ann --yes');
}
