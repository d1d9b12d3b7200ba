import { Failure } from '../exits.ts';
import type { Io } from '../io.ts';
import { question } from '../signin/prompt.ts';

/** Asks before something that cannot be undone. @throws {Failure} where the answer is no, or there is nobody to ask */
export async function confirm(io: Io, text: string, yes: boolean): Promise<void> {
  if (yes) return;
  if (!io.terminal.in) throw new Failure('usage', 'there is no terminal to ask in: say --yes if you mean it');
  const answer = await question(io, `${text} [y/N] `, { hidden: false });
  if (!/^y(es)?$/i.test(answer.trim())) throw new Failure('error', 'nothing was done');
}
