import type * as z from 'zod';
import { type Cluster, getCluster, listClusters } from '#schema/api/clusters.ts';
import { listUsers, type User } from '#schema/api/users.ts';
import { ClusterId } from '#schema/ids.ts';
import { Failure, oneLine } from '../exits.ts';
import type { Io } from '../io.ts';
import { call } from '../plane/call.ts';
import type { Session } from '../session.ts';

type ClusterView = z.infer<typeof Cluster>;
type UserView = z.infer<typeof User>;

/** Clusters by name or id, in the order asked; names are unique in a plane. @throws {Failure} `not-found` that names the first that is not there */
export async function findClusters(io: Io, { target }: Session, wanted: readonly string[]): Promise<ClusterView[]> {
  const [only] = wanted;
  if (wanted.length === 1 && ClusterId.safeParse(only).success) {
    return [await call(io, target, getCluster, { params: { cluster: only ?? '' } })];
  }
  const { items } = await call(io, target, listClusters);
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

/** A person by name or id. @throws {Failure} `not-found` */
export async function findUser(io: Io, { target }: Session, word: string): Promise<UserView> {
  const { items } = await call(io, target, listUsers);
  const found = items.find(({ id, username }) => id === word || username === word.toLowerCase());
  if (found === undefined)
    throw new Failure('not-found', `there is no user ${oneLine(word)}: \`outrider users list\` shows all`);
  return found;
}
