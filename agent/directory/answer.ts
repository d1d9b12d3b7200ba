import { answerDirectory } from '#ldap/answer.ts';
import { type DirectoryAnswer, DirectoryQuestion } from '#schema/directory/questions.ts';
import type { Logger } from '../log.ts';
import { connectDirectory } from './connection.ts';

/** Null: it is no question. */
export const readQuestion = (value: unknown): DirectoryQuestion | null =>
  DirectoryQuestion.safeParse(value).data ?? null;

/** Asks a directory from here. What failed is an answer too; only a fault of the agent's own rejects, or an abort. */
export async function askFromHere(
  question: DirectoryQuestion,
  signal: AbortSignal,
  log: Logger,
): Promise<DirectoryAnswer> {
  const answer = await answerDirectory(question, { dial: connectDirectory, signal });
  if (answer.is === 'problem') {
    const { code: reason, detail } = answer.problem;
    log.warn('a directory could not be asked', { reason, detail });
  }
  return answer;
}
