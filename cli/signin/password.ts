import type * as z from 'zod';
import { signIn } from '#schema/api/account/auth.ts';
import { Failure } from '../exits.ts';
import type { Io } from '../io.ts';
import { planeApi } from '../plane/api.ts';
import { Refusal } from '../plane/failures.ts';
import type { Target } from '../plane/http.ts';
import { grantedToken } from './oauth.ts';
import { question, readLines } from './prompt.ts';

/** How often a person may choose a password that is refused. */
const MAX_TRIES = 3;

/** Where passwords come from: a terminal without echo, or the lines of standard input. */
interface Secrets {
  password(): Promise<string>;
  /** The one that replaces a one-time password, or one that is too old. */
  newPassword(): Promise<string>;
}

/**
 * Signs in to a local account. A one-time password, or one that is too old, is replaced, as the plane demands: in a terminal the new one is asked for twice, else it is the second line.
 *
 * @returns the token
 * @throws {Failure} where name or password are wrong, or a new password is needed and not given.
 */
export async function signInByPassword(io: Io, place: Omit<Target, 'token'>, username: string): Promise<string> {
  const api = planeApi(io, { ...place, token: undefined });
  const ask = async (body: z.input<(typeof signIn)['body']>): Promise<string> =>
    grantedToken(place.origin, (await api.call(signIn, { body })).token);
  const secrets = io.terminal.in ? fromTerminal(io, `${username} at ${place.origin}`) : await fromLines(io);
  const password = await secrets.password();
  try {
    return await ask({ username, password });
  } catch (error) {
    if (!(error instanceof Refusal) || error.code !== 'password_change_required') throw error;
  }
  for (let left = io.terminal.in ? MAX_TRIES : 1; ; left -= 1) {
    const newPassword = await secrets.newPassword();
    try {
      const token = await ask({ username, password, newPassword });
      io.say('The password was replaced.');
      return token;
    } catch (error) {
      // Only what is wrong with the new one: a wrong old one would be counted again.
      if (!(error instanceof Refusal) || error.code !== 'invalid' || left <= 1) throw error;
      io.say(error.message);
    }
  }
}

function fromTerminal(io: Io, whose: string): Secrets {
  return {
    password: () => question(io, `Password of ${whose}: `, { hidden: true }),
    async newPassword() {
      io.say('This password was made for one use, or has become too old: choose your own.');
      const chosen = await question(io, 'New password: ', { hidden: true });
      const again = await question(io, 'The same again: ', { hidden: true });
      if (chosen !== again) throw new Failure('error', 'the two differ: nothing was changed, sign in again');
      return chosen;
    },
  };
}

async function fromLines(io: Io): Promise<Secrets> {
  const [first = '', second = ''] = await readLines(io);
  if (first === '') throw new Failure('usage', 'the password is expected on standard input, as its first line');
  return {
    password: () => Promise.resolve(first),
    newPassword() {
      if (second === '') {
        throw new Failure(
          'not-signed-in',
          'the password was made for one use, or has become too old: give a new one as the second line of standard input, or sign in in a terminal',
        );
      }
      return Promise.resolve(second);
    },
  };
}
