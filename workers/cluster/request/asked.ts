import { OutriderError, type ErrorCode } from '#schema/errors.ts';

/** How a question to an object ended: a refusal keeps its code only as data, since an error that crosses to a Worker keeps its message alone. */
export type Asked<T> = { answer: T } | { refusal: { code: ErrorCode; detail: string } };

/** In the object. Faults that are no refusals go on as errors. */
export async function outcomeOf<T>(run: () => Promise<T>): Promise<Asked<T>> {
  try {
    return { answer: await run() };
  } catch (error) {
    if (!(error instanceof OutriderError)) throw error;
    return { refusal: { code: error.code, detail: error.message } };
  }
}

/** In the Worker. @throws OutriderError the refusal */
export function answerOf<T>(asked: Asked<T>): T {
  if ('refusal' in asked) throw new OutriderError(asked.refusal.code, asked.refusal.detail);
  return asked.answer;
}
