import type { Command } from 'commander';
import { deleteGroupMember, listGroupMembers, putGroupMember } from '#schema/api/people/group-members.ts';
import { endpointsOf } from '#schema/resources/endpoints.ts';
import { GroupKind } from '#schema/resources/kinds/groups.ts';
import { oneLine } from '../../exits.ts';
import type { Io } from '../../io.ts';
import { showFound, showList, showOne } from '../../output/format.ts';
import { GROUP_MEMBERS, GROUPS } from '../../output/kinds.ts';
import { all, LARGE_PAGES } from '../../plane/api.ts';
import { openSession, type ServerOptions } from '../../session.ts';
import { confirm } from '../../signin/prompt.ts';
import { findGroup, findUser, listGroups } from '../find.ts';
import { type OutputOptions, withExamples, withOutput, withServer } from '../options.ts';

const groups = endpointsOf(GroupKind);

export function addGroups(parent: Command, io: Io): void {
  const group = parent
    .command('groups')
    .alias('group')
    .description('the groups that are kept at a plane (for administrators)');

  const list = withOutput(group.command('list').alias('ls').description('list them')).action(
    async (options: OutputOptions) => {
      const { api } = await openSession(io, options);
      showList(io, options.output, GROUPS, await listGroups(api));
    },
  );
  withExamples(list, 'outrider groups list', 'outrider groups list -o wide   # with what roles are given to');

  const get = withOutput(group.command('get').description('show some').argument('<group...>', 'names or ids')).action(
    async (names: string[], options: OutputOptions) => {
      const { api } = await openSession(io, options);
      const found = [];
      for (const name of new Set(names)) found.push(await findGroup(api, name));
      showFound(io, options.output, GROUPS, found);
    },
  );
  withExamples(get, 'outrider groups get operators');

  const create = withOutput(group.command('create').description('make one').argument('<name>', 'its name'))
    .option('--description <text>', 'what it is for', '')
    .action(async (name: string, options: OutputOptions & { description: string }) => {
      const { api } = await openSession(io, options);
      const body = { metadata: { name }, spec: { description: options.description } };
      showOne(io, options.output, GROUPS, await api.call(groups.create, { body }));
    });
  withExamples(create, "outrider groups create operators --description 'on call'");

  const rm = withServer(
    group
      .command('rm')
      .alias('delete')
      .description('remove one; what its members had by it they lose within seconds')
      .argument('<group>', 'name or id'),
  )
    .option('-y, --yes', 'do not ask')
    .action(async (name: string, options: ServerOptions & { yes?: boolean }) => {
      const { api } = await openSession(io, options);
      const { id, metadata } = await findGroup(api, name);
      await confirm(io, `Remove the group ${oneLine(metadata.name)} with its roles?`, options.yes === true);
      await api.call(groups.delete, { params: { group: id } });
      io.say(`Removed ${oneLine(metadata.name)}.`);
    });
  withExamples(rm, 'outrider groups rm operators');

  addMembers(group, io);
}

function addMembers(parent: Command, io: Io): void {
  const group = parent.command('members').description('who is in a group');

  const list = withOutput(
    group.command('list').alias('ls').description('list them').argument('<group>', 'name or id'),
  ).action(async (name: string, options: OutputOptions) => {
    const { api } = await openSession(io, options);
    const { id } = await findGroup(api, name);
    const items = await all(api.items(listGroupMembers, { params: { group: id }, query: LARGE_PAGES }));
    showList(io, options.output, GROUP_MEMBERS, items);
  });
  withExamples(list, 'outrider groups members list operators');

  for (const [word, endpoint, description, done] of [
    ['add', putGroupMember, 'put people into a group', 'is in'],
    ['rm', deleteGroupMember, 'take people out; what they had by it they lose within seconds', 'is not in'],
  ] as const) {
    const command = withServer(
      group
        .command(word)
        .description(description)
        .argument('<group>', 'name or id')
        .argument('<user...>', 'names or ids'),
    ).action(async (name: string, people: string[], options: ServerOptions) => {
      const { api } = await openSession(io, options);
      const { id, metadata } = await findGroup(api, name);
      // All of them before the first: a mistyped name changes nothing.
      const found = [];
      for (const person of new Set(people)) found.push(await findUser(api, person));
      for (const user of found) {
        await api.call(endpoint, { params: { group: id, user: user.id } });
        io.say(`${oneLine(user.metadata.name)} ${done} ${oneLine(metadata.name)}.`);
      }
    });
    withExamples(command, `outrider groups members ${word} operators ann bob`);
  }
}
