import { readText } from './state/files.ts';
import { Failure } from './exits.ts';
import { type Io, variable } from './io.ts';
import { type Paths, statePaths } from './state/paths.ts';
import { MAX_CA, MAX_TOKEN, parseServer, readServers, type SignIn } from './state/servers.ts';
import { signInHint } from './plane/failures.ts';
import type { Client } from '#schema/api/client.ts';
import { planeApi } from './plane/api.ts';

/** What every command that asks a plane can be told. */
export interface ServerOptions {
  /** `--server`, before OUTRIDER_SERVER, before the current one. */
  readonly server?: string;
  /** `--ca-file`, before OUTRIDER_CA_FILE, before what was kept at the sign-in. */
  readonly caFile?: string;
}

/** A server that a command was told to ask. */
export interface Place {
  readonly origin: string;
  readonly ca: string | undefined;
  readonly signIn: SignIn | undefined;
  readonly paths: Paths;
}

/** A server and somebody's token for it. */
export interface Session extends Place {
  readonly token: string;
  /** The plane, asked with it. */
  readonly api: Client;
  /** The token came from OUTRIDER_TOKEN. */
  readonly fromEnvironment: boolean;
}

/** @throws {Failure} where no server is named and none is current. */
export async function findPlace(io: Io, options: ServerOptions): Promise<Place> {
  const paths = statePaths(io.env);
  const servers = await readServers(paths.configFile);
  const named = options.server ?? variable(io.env, 'OUTRIDER_SERVER');
  const origin = named === undefined ? servers.current : parseServer(named);
  if (origin === undefined) {
    throw new Failure('not-signed-in', 'no server is known: run `outrider login --server https://your.plane`');
  }
  const known = servers.servers[origin];
  const caFile = options.caFile ?? variable(io.env, 'OUTRIDER_CA_FILE');
  const ca = caFile === undefined ? known?.ca : await readCa(caFile);
  return { origin, ca, signIn: known?.signIn, paths };
}

/**
 * @param timeoutMs how long each answer of the plane is waited for
 * @throws {Failure} `not-signed-in` where there is no token, or it has ended.
 */
export async function openSession(io: Io, options: ServerOptions, timeoutMs?: number): Promise<Session> {
  const place = await findPlace(io, options);
  const given = variable(io.env, 'OUTRIDER_TOKEN');
  const withToken = (token: string, tokenHint?: string): Session => ({
    ...place,
    token,
    api: planeApi(io, { ...place, token }, { timeoutMs, tokenHint }),
    fromEnvironment: given !== undefined,
  });
  if (given !== undefined) {
    return withToken(
      checkToken(given, 'OUTRIDER_TOKEN'),
      `OUTRIDER_TOKEN is not good at ${place.origin}, or has ended: put another there, or unset it to use your sign-in`,
    );
  }
  if (place.signIn === undefined) throw new Failure('not-signed-in', signInHint(place.origin));
  if (Date.parse(place.signIn.expiresAt) <= Date.now()) {
    throw new Failure('not-signed-in', signInHint(place.origin, 'your sign-in has ended'));
  }
  return withToken(place.signIn.token);
}

/** A token as it may stand in a header field (RFC 6750 §2.1, b64token). The message does not repeat it. */
export function checkToken(token: string, from: string): string {
  if (token.length > MAX_TOKEN || !/^[\w.~+/-]+=*$/.test(token)) {
    throw new Failure('usage', `${from} holds something that is not a token`);
  }
  return token;
}

async function readCa(path: string): Promise<string> {
  const text = await readText(path);
  if (text === null) throw new Failure('usage', `there is no CA file ${path}`);
  const certificates = text.match(/-----BEGIN CERTIFICATE-----[\s\w+/=]+-----END CERTIFICATE-----/g);
  if (certificates === null || text.length > MAX_CA) throw new Failure('usage', `${path} holds no PEM certificate`);
  // Only these: a key that lies beside them is not kept.
  return `${certificates.join('\n')}\n`;
}
