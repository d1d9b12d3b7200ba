import { rm } from 'node:fs/promises';
import { randomBase32 } from '#schema/ids.ts';
import { readIfThere, writeWhole } from './data-dir.ts';

/** Four groups of five base32 characters: 100 bits, in groups that can be read aloud. */
const GROUPS = 4;
const GROUP_LENGTH = 5;

/** A new one, as {@link GROUPS} says. */
export const oneTimePassword = (): string => Array.from({ length: GROUPS }, () => randomBase32(GROUP_LENGTH)).join('-');

/** The plane's answer to who is the first administrator (`schema/api/account/setup.ts`). */
interface Outcome {
  /** The administrator was made now, with the password that was sent. */
  readonly created: boolean;
  /** The one-time password was not changed yet. */
  readonly passwordPending: boolean;
}

/**
 * Gives the first administrator a one-time password. It is kept in a file of its owner's before the plane hears of it, so that a crash or an
 * answer that is lost between the two loses nothing: the next call sends the same.
 *
 * @param file where it is kept until it was changed
 * @param put tells the plane
 * @returns the plane's answer, and the password; null when it was changed since, or the administrator was given another that is not known here.
 */
export async function giveFirstPassword<T extends Outcome>(
  file: string,
  put: (password: string) => Promise<T>,
): Promise<{ answer: T; password: string | null }> {
  const kept = (await readIfThere(file))?.trim();
  const password = kept || oneTimePassword();
  if (!kept) await writeWhole(file, `${password}\n`);
  const answer = await put(password);
  // One made just now is right only if it was taken.
  const isRight = answer.passwordPending && (answer.created || Boolean(kept));
  if (!isRight) await rm(file, { force: true });
  return { answer, password: isRight ? password : null };
}
