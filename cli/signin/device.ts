import { hostname } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import type * as z from 'zod';
import { CLI_CLIENT_ID, DEVICE_GRANT, pollDevice, startDevice } from '#schema/api/account/oauth.ts';
import type { Client } from '#schema/api/client.ts';
import { Failure, oneLine } from '../exits.ts';
import type { Io } from '../io.ts';
import { span } from '../output/kinds.ts';
import { planeApi } from '../plane/api.ts';
import { Refusal } from '../plane/failures.ts';
import type { Target } from '../plane/http.ts';
import { grantedToken, withoutFlow } from './oauth.ts';

type Device = z.output<(typeof startDevice)['result']>;

/** Longest name of a machine that the plane takes. */
const MAX_NAME = 64;
/** RFC 8628 §3.5: what `slow_down` adds, s. */
const SLOWER_S = 5;

/** Time, so that a test has its own. */
export interface Clock {
  readonly now: () => number;
  readonly pause: (ms: number, signal: AbortSignal) => Promise<unknown>;
}
const CLOCK: Clock = {
  now: () => performance.now(),
  pause: (ms, signal) => pause(ms, undefined, { signal }),
};

/**
 * Signs in by a code that the person confirms in a browser elsewhere (RFC 8628).
 *
 * The code and the client's name are printed and the page shows both, so that a person who was sent somebody else's link can tell (CVE-2024-58267).
 *
 * @returns the token
 * @throws {Failure} where it is refused or the code expires.
 */
export async function signInByDevice(io: Io, place: Omit<Target, 'token'>, clock = CLOCK): Promise<string> {
  const { origin } = place;
  // Shown on the page, beside the address that the plane saw.
  const name = hostname().slice(0, MAX_NAME);
  const api = planeApi(io, { ...place, token: undefined });
  const device = await api
    .call(startDevice, { body: { client_id: CLI_CLIENT_ID, device_name: name } })
    .catch((error: unknown) => {
      throw withoutFlow(origin, error);
    });
  for (const address of [device.verification_uri, device.verification_uri_complete]) {
    // Elsewhere somebody else would see the code.
    if (new URL(address).origin !== origin) {
      throw elsewhere(origin, new URL(address).origin);
    }
  }
  io.say(`To sign in, open ${oneLine(device.verification_uri)} and enter the code`);
  io.say('');
  io.say(`    ${device.user_code}`);
  io.say('');
  io.say(
    `The page must show this code and the client ${CLI_CLIENT_ID}, asking from ${oneLine(name)}; if not, close it.`,
  );
  io.say(`Waiting; the code is good for ${span(device.expires_in * 1000)}.`);
  return grantedToken(origin, await poll(io, api, device, clock));
}

/** Where the plane is known by several names, only its own will do. */
const elsewhere = (origin: string, named: string): Failure =>
  new Failure(
    'error',
    `${origin} names a page elsewhere for the sign-in, at ${oneLine(named)}: if that is the plane, sign in with --server ${oneLine(named)}`,
  );

async function poll(io: Io, api: Client, device: Device, clock: Clock): Promise<string> {
  const body = { grant_type: DEVICE_GRANT, device_code: device.device_code, client_id: CLI_CLIENT_ID };
  const deadline = clock.now() + device.expires_in * 1000;
  let interval = device.interval;
  while (clock.now() + interval * 1000 < deadline) {
    await clock.pause(interval * 1000, io.signal);
    try {
      return (await api.call(pollDevice, { body })).access_token;
    } catch (error) {
      if (error instanceof Refusal && error.code === 'expired_token') break;
      interval = nextInterval(interval, error);
    }
  }
  throw new Failure('timed-out', 'the code has expired: run `outrider login` again');
}

/** How long to wait before the next poll, s. @throws what ends the flow */
function nextInterval(interval: number, error: unknown): number {
  if (!(error instanceof Failure)) throw error;
  const { code, status } = error instanceof Refusal ? error : { code: 'unexpected', status: 0 };
  // RFC 8628 §3.5: on a connection that fails, exponentially slower.
  if (error.exit === 'unreachable' || status >= 500) return interval * 2;
  if (code === 'authorization_pending') return interval;
  if (code === 'slow_down') return interval + SLOWER_S;
  if (code === 'access_denied') throw new Failure('not-permitted', 'the sign-in was denied', { cause: error });
  if (code === 'unexpected') throw error;
  throw new Failure('error', `sign-in failed: ${error.message}`, { cause: error });
}
