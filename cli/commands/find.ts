import type * as z from 'zod';
import { type Cluster, getCluster, listClusters } from '#schema/api/clusters/clusters.ts';
import { ClusterId } from '#schema/ids.ts';
import { endpointsOf } from '#schema/resources/endpoints.ts';
import { resourceOf } from '#schema/resources/kind.ts';
import { UserKind } from '#schema/resources/kinds/users.ts';
import { Failure, oneLine } from '../exits.ts';
import type { Io } from '../io.ts';
import type { UserRow } from '../output/kinds.ts';
import { call, callAll } from '../plane/call.ts';
import type { Target } from '../plane/http.ts';
import type { Session } from '../session.ts';

type ClusterView = z.infer<typeof Cluster>;

/** Clusters by name or id, in the order asked; names are unique in a plane. @throws {Failure} `not-found` that names the first that is not there */
export async function findClusters(io: Io, { target }: Session, wanted: readonly string[]): Promise<ClusterView[]> {
  const [only] = wanted;
  if (wanted.length === 1 && ClusterId.safeParse(only).success) {
    return [await call(io, target, getCluster, { params: { cluster: only ?? '' } })];
  }
  const items = await callAll(io, target, listClusters);
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

const wholeUser = resourceOf(UserKind);

/** All people of a plane. */
export async function listUsers(io: Io, target: Target, timeoutMs?: number): Promise<UserRow[]> {
  const { list } = endpointsOf(UserKind);
  const items = await callAll(io, target, list, timeoutMs === undefined ? {} : { timeoutMs });
  return items.map((item) => wholeUser.parse(item));
}

/** A person by name or id. @throws {Failure} `not-found` */
export async function findUser(io: Io, { target }: Session, word: string): Promise<UserRow> {
  const items = await listUsers(io, target);
  const found = items.find(({ id, metadata }) => id === word || metadata.name === word.toLowerCase());
  if (found === undefined)
    throw new Failure('not-found', `there is no user ${oneLine(word)}: \`outrider users list\` shows all`);
  return found;
}
