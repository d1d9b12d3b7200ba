import { ClusterId, GroupId, UserId } from '#schema/ids.ts';
import { GroupKind } from '#schema/resources/kinds/groups.ts';
import type { Client } from '#schema/api/client.ts';
import { endpointsOf } from '#schema/resources/endpoints.ts';
import { ClusterKind } from '#schema/resources/kinds/clusters.ts';
import { UserKind } from '#schema/resources/kinds/users.ts';
import { Failure, oneLine } from '../exits.ts';
import type { ClusterRow, GroupRow, UserRow } from '../output/kinds.ts';
import { all, LARGE_PAGES } from '../plane/api.ts';
import type { Session } from '../session.ts';

const users = endpointsOf(UserKind);
const groups = endpointsOf(GroupKind);
const clusters = endpointsOf(ClusterKind);

/** All clusters that somebody has a role in. */
export const listAllClusters = async (api: Client): Promise<ClusterRow[]> =>
  await all(api.resources(ClusterKind, LARGE_PAGES));

/** Clusters by name or id, in the order asked; names are unique in a plane. @throws {Failure} `not-found` that names the first that is not there */
export async function findClusters({ api }: Session, wanted: readonly string[]): Promise<ClusterRow[]> {
  const [only] = wanted;
  if (wanted.length === 1 && ClusterId.safeParse(only).success) {
    return [await api.call(clusters.get, { params: { cluster: only ?? '' } })];
  }
  const items = await listAllClusters(api);
  return wanted.map((word) => {
    const found = items.find(({ id, metadata }) => id === word || metadata.name === word);
    if (found === undefined) {
      throw new Failure(
        'not-found',
        `there is no cluster ${oneLine(word)} that you may see: \`outrider clusters list\` shows those`,
      );
    }
    return found;
  });
}

/** One cluster by name or id. @throws {Failure} `not-found` */
export async function findCluster(session: Session, word: string): Promise<ClusterRow> {
  const [found] = await findClusters(session, [word]);
  return found ?? missing('cluster', word);
}

/** All people of a plane. */
export const listUsers = async (api: Client): Promise<UserRow[]> => await all(api.resources(UserKind, LARGE_PAGES));

/** A person by name or id. @throws {Failure} `not-found` */
export async function findUser(api: Client, word: string): Promise<UserRow> {
  if (UserId.safeParse(word).success) return await api.call(users.get, { params: { user: word } });
  return (await first(api.resources(UserKind, { name: word }))) ?? missing('user', word);
}

/** All groups that are kept at a plane. */
export const listGroups = async (api: Client): Promise<GroupRow[]> => await all(api.resources(GroupKind, LARGE_PAGES));

/** A group by name or id. @throws {Failure} `not-found` */
export async function findGroup(api: Client, word: string): Promise<GroupRow> {
  if (GroupId.safeParse(word).success) return await api.call(groups.get, { params: { group: word } });
  return (await first(api.resources(GroupKind, { name: word }))) ?? missing('group', word);
}

async function first<T>(items: AsyncIterable<T>): Promise<T | undefined> {
  for await (const item of items) return item;
  return undefined;
}

function missing(what: 'cluster' | 'user' | 'group', word: string): never {
  throw new Failure('not-found', `there is no ${what} ${oneLine(word)}: \`outrider ${what}s list\` shows all`);
}
