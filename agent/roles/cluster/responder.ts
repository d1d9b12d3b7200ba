import { DIRECTORY_QUESTION } from '#schema/protocol/codec/call.ts';
import type { Logger } from '../../log.ts';

/** Answers questions of one name; `signal` aborts when nobody waits any more. Rejects with {@link BadQuestion} for what its schema does not take. */
export type Responder = (question: unknown, signal: AbortSignal) => Promise<unknown>;

/** The question is not one. Says nothing of what was sent. */
export class BadQuestion extends Error {
  constructor() {
    super('not a question');
    this.name = 'BadQuestion';
  }
}

/** Every question that the agent answers, by name. */
export function responders(log: Logger): ReadonlyMap<string, Responder> {
  return new Map([[DIRECTORY_QUESTION, directoryResponder(log)]]);
}

/** What speaks LDAP is loaded by the first question, and so are its schemas: most clusters are never asked one, and it would stay resident (decision 0009). */
const directoryResponder =
  (log: Logger): Responder =>
  async (question, signal) => {
    const { askFromHere, readQuestion } = await import('../../directory/answer.ts');
    const read = readQuestion(question);
    if (read === null) throw new BadQuestion();
    return await askFromHere(read, signal, log);
  };
