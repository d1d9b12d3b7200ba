import { Argument, type Command } from 'commander';
import { Role } from '#schema/access.ts';
import type { Client } from '#schema/api/client.ts';
import { deleteGroupRole, listGroupRoles, putGroupRole } from '#schema/api/clusters/group-roles.ts';
import { deleteMember, listMembers, putMember } from '#schema/api/clusters/members.ts';
import { GroupPrincipal, UserId } from '#schema/ids.ts';
import { Failure, oneLine } from '../../exits.ts';
import type { Io } from '../../io.ts';
import { showList } from '../../output/format.ts';
import type { Kind } from '../../output/kinds.ts';
import { openSession, type ServerOptions } from '../../session.ts';
import { findCluster, findGroup, findUser } from '../find.ts';
import { type OutputOptions, withExamples, withOutput, withServer } from '../options.ts';

/** Who has a role in a cluster: a person, or everybody in a group. */
type RoleRow = { readonly role: Role } & (
  | { readonly user: string; readonly username: string }
  | { readonly group: string }
);

interface WhomOptions extends ServerOptions {
  readonly user: readonly string[];
  readonly group: readonly string[];
}

const nameOf = (row: RoleRow): string => ('user' in row ? row.username : row.group);

const ROLES: Kind<RoleRow> = {
  name: (row) => ('user' in row ? `user/${row.username}` : row.group),
  columns: [
    { header: 'NAME', cell: nameOf },
    { header: 'KIND', cell: (row) => ('user' in row ? 'user' : 'group') },
    { header: 'ROLE', cell: ({ role }) => role },
    { header: 'ID', cell: (row) => ('user' in row ? row.user : '-'), wide: true },
  ],
};

export function addRoles(group: Command, io: Io): void {
  const list = withOutput(
    group
      .command('roles')
      .description('who has which role in a cluster; administrators are owners everywhere')
      .argument('<cluster>', 'name or id'),
  ).action(async (name: string, options: OutputOptions) => {
    const session = await openSession(io, options);
    const { api } = session;
    const params = { cluster: (await findCluster(session, name)).id };
    const { items: people } = await api.call(listMembers, { params });
    const { items: groups } = await api.call(listGroupRoles, { params });
    showList<RoleRow>(io, options.output, ROLES, [...people, ...groups]);
  });
  withExamples(list, 'outrider clusters roles prod-eu');

  const grant = withWhom(
    group
      .command('grant')
      .description('give people, or everybody in a group, a role in a cluster')
      .argument('<cluster>', 'name or id')
      .addArgument(new Argument('<role>', 'which').choices(Role.options)),
  ).action(async (name: string, role: Role, options: WhomOptions) => {
    requireWhom(options);
    const session = await openSession(io, options);
    const cluster = await findCluster(session, name);
    const params = { cluster: cluster.id };
    const { users, groups } = await findWhom(session.api, options);
    for (const user of users) {
      const { username } = await session.api.call(putMember, { params: { ...params, user }, body: { role } });
      io.say(`${oneLine(username)} is ${role} in ${oneLine(cluster.metadata.name)}.`);
    }
    for (const principal of groups) {
      await session.api.call(putGroupRole, { params, body: { group: principal, role } });
      io.say(`Everybody in ${oneLine(principal)} is ${role} in ${oneLine(cluster.metadata.name)}.`);
    }
  });
  withExamples(
    grant,
    'outrider clusters grant prod-eu member --user ann --user bob',
    "outrider clusters grant prod-eu read-only --group 'on call'",
    'outrider clusters grant prod-eu owner --group github_team://42',
  );

  const revoke = withWhom(
    group
      .command('revoke')
      .description('take the role of people or groups in a cluster; what they do there ends within seconds')
      .argument('<cluster>', 'name or id'),
  ).action(async (name: string, options: WhomOptions) => {
    requireWhom(options);
    const session = await openSession(io, options);
    const cluster = await findCluster(session, name);
    const params = { cluster: cluster.id };
    const { items } = await session.api.call(listMembers, { params });
    const { users, groups } = await findWhom(session.api, options, items);
    // People last: whoever takes their own role could take no other after it.
    for (const principal of groups) await session.api.call(deleteGroupRole, { params, query: { group: principal } });
    for (const user of users) await session.api.call(deleteMember, { params: { ...params, user } });
    io.say(
      `${[...options.user, ...options.group].map(oneLine).join(', ')}: no role in ${oneLine(cluster.metadata.name)}.`,
    );
  });
  withExamples(
    revoke,
    'outrider clusters revoke prod-eu --user ann',
    "outrider clusters revoke prod-eu --group 'on call'",
  );
}

function withWhom(command: Command): Command {
  const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];
  return withServer(command)
    .option('--user <user>', 'a person, by name or id; may be repeated', collect, [])
    .option('--group <group>', 'a group, by name, id or principal; may be repeated', collect, []);
}

function requireWhom({ user, group }: WhomOptions): void {
  if (user.length + group.length === 0) throw new Failure('usage', 'say whom: --user or --group');
}

/**
 * Ids of the people and principals of the groups that are meant, all of them before anything is changed.
 *
 * @param known people whose names need not be looked up: to that not every owner of a cluster has the right
 */
async function findWhom(
  api: Client,
  options: WhomOptions,
  known: readonly { readonly user: string; readonly username: string }[] = [],
): Promise<{ users: Set<string>; groups: Set<string> }> {
  const users = new Set<string>();
  const groups = new Set<string>();
  for (const word of options.user) {
    const found = known.find(({ username }) => username === word.toLowerCase())?.user;
    users.add(found ?? (UserId.safeParse(word).success ? word : (await findUser(api, word)).id));
  }
  for (const word of options.group) {
    groups.add(GroupPrincipal.safeParse(word).success ? word : (await findGroup(api, word)).status.principal);
  }
  return { users, groups };
}
