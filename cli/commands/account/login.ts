import type { Command } from 'commander';
import { Failure, oneLine } from '../../exits.ts';
import { type Io, variable } from '../../io.ts';
import { span } from '../../output/kinds.ts';
import { checkToken, findPlace, type Place, type ServerOptions } from '../../session.ts';
import { isWithoutBrowser, signInByBrowser } from '../../signin/browser.ts';
import { signInByDevice } from '../../signin/device.ts';
import { signInByPassword } from '../../signin/password.ts';
import { readLines } from '../../signin/prompt.ts';
import { keepSignIn } from '../../signin/sign-in.ts';
import { withExamples, withServer } from '../options.ts';

interface LoginOptions extends ServerOptions {
  readonly device?: boolean;
  readonly withToken?: boolean;
  readonly username?: string;
}

export function addLogin(parent: Command, io: Io): void {
  const command = withServer(parent.command('login').description('sign in to a plane, which becomes the current one'))
    .option('--device', 'confirm a code in a browser elsewhere; chosen by itself over SSH and without a display')
    .option('--username <name>', 'sign in to a local account; the password is asked for, or read from standard input')
    .option('--with-token', 'read a token from standard input')
    .action((options: LoginOptions) => login(io, options));
  withExamples(
    command,
    'outrider login --server https://plane.example.com',
    'outrider login --server plane.example.com --device',
    'outrider login --server 127.0.0.1:8443 --ca-file ca.pem --username admin',
    'printf "%s\\n" "$PASSWORD" | outrider login --username admin',
    'printf "%s\\n" "$ONE_TIME" "$CHOSEN" | outrider login --username admin   # the first sign-in',
    'outrider login --with-token < token.txt',
  );
}

async function login(io: Io, options: LoginOptions): Promise<void> {
  const ways = [options.device === true, options.withToken === true, options.username !== undefined];
  if (ways.filter(Boolean).length > 1) {
    throw new Failure('usage', '--device, --with-token and --username are different ways in: choose one');
  }
  const place = await findPlace(io, options);
  const token = await obtain(io, place, options);
  const { username, expiresAt } = await keepSignIn(io, place, token);
  io.say(
    `Signed in at ${place.origin} as ${oneLine(username)}; this ends in ${span(Date.parse(expiresAt) - Date.now())}.`,
  );
  if (variable(io.env, 'OUTRIDER_TOKEN') !== undefined) {
    io.say('OUTRIDER_TOKEN is set, and goes before it: unset it to use this sign-in.');
  }
}

async function obtain(io: Io, place: Place, { device, withToken, username }: LoginOptions): Promise<string> {
  if (username !== undefined) return await signInByPassword(io, place, username);
  if (withToken === true) {
    if (io.terminal.in) io.say('Paste the token, then press Enter and Ctrl-D:');
    const token = (await readLines(io)).map((line) => line.trim()).find((line) => line !== '');
    return checkToken(token ?? '', 'standard input');
  }
  return await signInInteractively(io, place, device === true);
}

/** Signs in as a person who was not asked how: with the browser where there is one. */
export async function signInInteractively(io: Io, place: Place, device = false): Promise<string> {
  return device || isWithoutBrowser(io) ? await signInByDevice(io, place) : await signInByBrowser(io, place);
}
