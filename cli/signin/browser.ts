import { createHash, randomBytes } from 'node:crypto';
import { spawn } from 'node:child_process';
import { Failure } from '../exits.ts';
import { type Io, variable } from '../io.ts';
import { CLI_CLIENT_ID, exchangeCode } from '#schema/api/account/oauth.ts';
import { planeApi } from '../plane/api.ts';
import { Refusal } from '../plane/failures.ts';
import type { Target } from '../plane/http.ts';
import { listenForCode } from './loopback.ts';
import { grantedToken } from './oauth.ts';

/** Time for a person to find their password and second factor, ms. */
const SIGN_IN_MS = 5 * 60_000;

/**
 * Signs in with the browser of this machine: authorization code with PKCE (RFC 7636, S256) and a loopback redirect (RFC 8252).
 *
 * @param open shows an address to the person
 * @returns the token
 * @throws {Failure} where it is refused, or nobody signs in within five minutes.
 */
export async function signInByBrowser(
  io: Io,
  place: Omit<Target, 'token'>,
  open: (io: Io, url: string) => void = openBrowser,
): Promise<string> {
  const state = randomBytes(32).toString('base64url');
  const verifier = randomBytes(32).toString('base64url');
  const loopback = await listenForCode(state, place.origin);
  try {
    const authorize = new URL('/v1/auth/cli/authorize', place.origin);
    authorize.search = new URLSearchParams({
      client_id: CLI_CLIENT_ID,
      response_type: 'code',
      redirect_uri: loopback.redirectUri,
      state,
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
    }).toString();
    io.say('Opening the browser; if none appears, open this address on this machine (or use --device on another):');
    io.say(`  ${authorize.href}`);
    open(io, authorize.href);
    const code = await loopback.code(AbortSignal.any([io.signal, AbortSignal.timeout(SIGN_IN_MS)]));
    const body = {
      grant_type: 'authorization_code',
      code,
      redirect_uri: loopback.redirectUri,
      code_verifier: verifier,
      client_id: CLI_CLIENT_ID,
    };
    const granted = await planeApi(io, { ...place, token: undefined })
      .call(exchangeCode, { body })
      .catch((error: unknown) => {
        const isRefused = error instanceof Refusal && error.status === 400;
        throw isRefused ? new Failure('not-signed-in', `sign-in failed: ${error.message}`, { cause: error }) : error;
      });
    return grantedToken(place.origin, granted.access_token);
  } finally {
    loopback.close();
  }
}

/** Programs that open an address, each without a shell: the address is one argument. */
const OPENERS: Partial<Record<NodeJS.Platform, readonly [string, ...string[]]>> = {
  darwin: ['open'],
  win32: ['rundll32', 'url.dll,FileProtocolHandler'],
};

/** Asks the system's browser, or that of `BROWSER`; that there is none is no failure, since the address was printed. */
function openBrowser({ env, platform }: Io, url: string): void {
  const chosen = variable(env, 'BROWSER');
  const [command, ...before] = chosen === undefined ? (OPENERS[platform] ?? ['xdg-open']) : [chosen];
  const child = spawn(command, [...before, url], { stdio: 'ignore', detached: true });
  child.on('error', () => {});
  child.unref();
}

/** Whether a browser that is opened here would appear where nobody sees it: over SSH, in a container, on a console. */
export function isWithoutBrowser({ env, platform }: Pick<Io, 'env' | 'platform'>): boolean {
  if (variable(env, 'BROWSER') !== undefined) return false;
  if (['SSH_CONNECTION', 'SSH_CLIENT', 'SSH_TTY'].some((name) => variable(env, name) !== undefined)) return true;
  if (platform === 'darwin' || platform === 'win32' || variable(env, 'WSL_DISTRO_NAME') !== undefined) return false;
  return variable(env, 'DISPLAY') === undefined && variable(env, 'WAYLAND_DISPLAY') === undefined;
}
