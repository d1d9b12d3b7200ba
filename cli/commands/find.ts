import type * as z from 'zod';
import { type Cluster, getCluster, listClusters } from '#schema/api/clusters/clusters.ts';
import { ClusterId } from '#schema/ids.ts';
import type { Client } from '#schema/api/client.ts';
import { UserKind } from '#schema/resources/kinds/users.ts';
import { Failure, oneLine } from '../exits.ts';
import type { UserRow } from '../output/kinds.ts';
import { all, LARGE_PAGES } from '../plane/api.ts';
import type { Session } from '../session.ts';

type ClusterView = z.infer<typeof Cluster>;

/** All clusters that somebody has a role in. */
export const listAllClusters = async (api: Client): Promise<ClusterView[]> =>
  await all(api.items(listClusters, { query: LARGE_PAGES }));

/** Clusters by name or id, in the order asked; names are unique in a plane. @throws {Failure} `not-found` that names the first that is not there */
export async function findClusters({ api }: Session, wanted: readonly string[]): Promise<ClusterView[]> {
  const [only] = wanted;
  if (wanted.length === 1 && ClusterId.safeParse(only).success) {
    return [await api.call(getCluster, { params: { cluster: only ?? '' } })];
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

/** All people of a plane. */
export const listUsers = async (api: Client): Promise<UserRow[]> => await all(api.resources(UserKind, LARGE_PAGES));

/** A person by name or id. @throws {Failure} `not-found` */
export async function findUser({ api }: Session, word: string): Promise<UserRow> {
  const items = await listUsers(api);
  const found = items.find(({ id, metadata }) => id === word || metadata.name === word.toLowerCase());
  if (found === undefined)
    throw new Failure('not-found', `there is no user ${oneLine(word)}: \`outrider users list\` shows all`);
  return found;
}
