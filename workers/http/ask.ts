import type { DirectoryVia } from '#schema/directory/direct.ts';
import type { DirectoryAnswer, DirectoryQuestion } from '#schema/directory/questions.ts';
import { OutriderError, unknownCluster } from '#schema/errors.ts';
import { answerOf } from '../cluster/request/asked.ts';
import { clusterObject } from '../cluster/stub.ts';
import type { Config } from '../env.ts';
import { findCluster } from '../store/clusters.ts';
import { askFromHere } from './direct.ts';

/** Has a directory asked, by whom its configuration says. @throws OutriderError where there is no answer */
export async function askDirectory(
  env: Env,
  config: Config,
  via: DirectoryVia,
  question: DirectoryQuestion,
): Promise<DirectoryAnswer> {
  if (via.kind === 'direct') return await askFromHere(question);
  return await askAgent(env, config, via.cluster, question);
}

/** An object is made by its agent's first dial, near the cluster, and never by a question: where there was none, nothing is asked. */
async function askAgent(
  env: Env,
  config: Config,
  clusterId: string,
  question: DirectoryQuestion,
): Promise<DirectoryAnswer> {
  const cluster = await findCluster(env.DB, clusterId);
  if (cluster === null) throw unknownCluster();
  if (cluster.connectedAt === null) {
    throw new OutriderError('tunnel_down', 'no agent of this cluster has ever connected');
  }
  const stub = await clusterObject(env, config, clusterId);
  if (stub === null) throw unknownCluster();
  return answerOf(await stub.ask(clusterId, question));
}
