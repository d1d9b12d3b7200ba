import type { testDirectory } from '#schema/api/directory.ts';
import type { DirectoryAnswer } from '#schema/directory/questions.ts';
import { OutriderError, unknownCluster } from '#schema/errors.ts';
import type { AskDirectory } from '../authn/providers/directory.ts';
import { findCluster } from '../store/clusters.ts';
import type { Deps, Handler } from './handler.ts';

/** Asks directories through a cluster's agent. An object is made by its agent's first dial, and never by a question: where there was none, nothing is asked. */
export const directoryThrough =
  (deps: Pick<Deps, 'db' | 'askDirectory'>, clusterId: string): AskDirectory =>
  async (question) => {
    const cluster = await findCluster(deps.db, clusterId);
    if (cluster === null) throw unknownCluster();
    if (cluster.connectedAt === null)
      throw new OutriderError('tunnel_down', 'no agent of this cluster has ever connected');
    return await deps.askDirectory(clusterId, question);
  };

export const handleTestDirectory: Handler<typeof testDirectory> = async ({ params, body }, deps) => {
  const ask = directoryThrough(deps, params.cluster);
  const { directory, name, password } = body;
  const tested = await ask({ ask: 'test', directory });
  if (tested.is !== 'good') return { problem: problemOf(tested), server: null, person: null };
  const { server } = tested;
  if (name === undefined || password === undefined) return { problem: null, server, person: null };
  const signedIn = await ask({ ask: 'signIn', directory, name, password });
  if (signedIn.is !== 'person') return { problem: problemOf(signedIn), server, person: null };
  return { problem: null, server, person: signedIn.person };
};

/** @throws OutriderError agent_failed for the answer to something else. */
function problemOf(answer: DirectoryAnswer): Extract<DirectoryAnswer, { is: 'problem' }>['problem'] {
  if (answer.is === 'problem') return answer.problem;
  throw new OutriderError('agent_failed', 'the agent answered with something else than was asked');
}
