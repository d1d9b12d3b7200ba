import type { Command } from 'commander';
import { whoAmI } from '#schema/api/account/auth.ts';
import { endpointsOf } from '#schema/resources/endpoints.ts';
import { TokenKind } from '#schema/resources/kinds/tokens.ts';
import { Failure, reasonOf } from '../../exits.ts';
import type { Io } from '../../io.ts';
import { showOne } from '../../output/format.ts';
import { ME } from '../../output/kinds.ts';
import { planeApi } from '../../plane/api.ts';
import { findPlace, openSession, type Place, type ServerOptions } from '../../session.ts';
import { forgetServer } from '../../state/cache.ts';
import { changeServers, withoutSignIn } from '../../state/servers.ts';
import { type OutputOptions, withExamples, withOutput, withServer } from '../options.ts';

export function addLogout(parent: Command, io: Io): void {
  const command = withServer(
    parent.command('logout').description('sign out: take the tokens back and forget them'),
  ).action((options: ServerOptions) => logout(io, options));
  withExamples(command, 'outrider logout', 'outrider logout --server plane.example.com');
}

export function addWhoAmI(parent: Command, io: Io): void {
  const command = withOutput(parent.command('whoami').description('who is signed in, where, and for how long')).action(
    (options: OutputOptions) => showMe(io, options),
  );
  withExamples(command, 'outrider whoami', 'outrider whoami -o json');
}

async function showMe(io: Io, options: OutputOptions): Promise<void> {
  const { origin, api } = await openSession(io, options);
  showOne(io, options.output, ME, { ...(await api.call(whoAmI)), server: origin });
}

/** Forgets first what is here: a plane that is not reached must not keep anybody signed in. */
async function logout(io: Io, options: ServerOptions): Promise<void> {
  const place = await findPlace(io, options);
  const { origin, paths, signIn } = place;
  const cached = await forgetServer(paths.cacheFolder, origin);
  if (signIn === undefined) {
    io.say(`Nobody was signed in at ${origin}.`);
    return;
  }
  await changeServers(paths.configFile, io.signal, withoutSignIn(origin));
  // Its own last: it takes the others back.
  for (const id of [...cached, signIn.tokenId]) await takeBack(io, place, signIn.token, id);
  io.say(`Signed out at ${origin}.`);
}

async function takeBack(io: Io, { origin, ca }: Place, token: string, id: string): Promise<void> {
  try {
    await planeApi(io, { origin, ca, token }).call(endpointsOf(TokenKind).delete, { params: { token: id } });
  } catch (error) {
    const isGone = error instanceof Failure && (error.exit === 'not-found' || error.exit === 'not-signed-in');
    if (!isGone) io.say(`The token ${id} was forgotten here, but stays good until it ends: ${reasonOf(error)}`);
  }
}
