import type { testDirectory } from '#schema/api/providers/directory.ts';
import type { DirectoryAnswer, DirectoryQuestion } from '#schema/directory/questions.ts';
import { OutriderError } from '#schema/errors.ts';
import type { Handler } from '../handler.ts';

export const handleTestDirectory: Handler<typeof testDirectory> = async ({ params, body }, deps) => {
  const ask = async (question: DirectoryQuestion): Promise<DirectoryAnswer> =>
    await deps.askDirectory({ kind: 'cluster', cluster: params.cluster }, question);
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
