import { hostname } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import * as z from 'zod';
import { Failure, oneLine } from '../exits.ts';
import type { Io } from '../io.ts';
import type { Target } from '../plane/http.ts';
import { CLIENT_ID, parse, postForm, readTokenAnswer, withoutFlow } from './oauth.ts';

/** RFC 8628 §3.2. */
const DeviceAnswer = z.object({
  device_code: z.string().min(1).max(1024),
  user_code: z
    .string()
    .max(64)
    .regex(/^[A-Za-z0-9-]+$/),
  verification_uri: z.url().max(2048),
  verification_uri_complete: z.url().max(2048).optional(),
  expires_in: z.int().positive().max(3600),
  interval: z.int().positive().max(300).default(5),
});

const GRANT = 'urn:ietf:params:oauth:grant-type:device_code';
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
  const answer = await postForm(io, place, '/v1/auth/device/code', { client_id: CLIENT_ID, device_name: name });
  if (answer.status !== 200) throw withoutFlow(origin, answer);
  const device = parse(DeviceAnswer, answer.body);
  if (device === null) throw new Failure('error', `${origin} answered with no device code that can be used`);
  for (const address of [device.verification_uri, device.verification_uri_complete ?? origin]) {
    // Elsewhere somebody else would see the code.
    if (new URL(address).origin !== origin) {
      throw elsewhere(origin, new URL(address).origin);
    }
  }
  io.say(`To sign in, open ${oneLine(device.verification_uri)} and enter the code`);
  io.say('');
  io.say(`    ${device.user_code}`);
  io.say('');
  io.say(`The page must show this code and the client ${CLIENT_ID}, asking from ${oneLine(name)}; if not, close it.`);
  return await poll(io, place, device, clock);
}

/** Where the plane is known by several names, only its own will do. */
const elsewhere = (origin: string, named: string): Failure =>
  new Failure(
    'error',
    `${origin} names a page elsewhere for the sign-in, at ${oneLine(named)}: if that is the plane, sign in with --server ${oneLine(named)}`,
  );

async function poll(
  io: Io,
  place: Omit<Target, 'token'>,
  device: z.infer<typeof DeviceAnswer>,
  clock: Clock,
): Promise<string> {
  const deadline = clock.now() + device.expires_in * 1000;
  let interval = device.interval;
  while (clock.now() + interval * 1000 < deadline) {
    await clock.pause(interval * 1000, io.signal);
    const fields = { grant_type: GRANT, device_code: device.device_code, client_id: CLIENT_ID };
    const answer = await postForm(io, place, '/v1/auth/device/token', fields).catch((error: unknown) => {
      if (error instanceof Failure && error.exit === 'unreachable') return null;
      throw error;
    });
    // RFC 8628 §3.5: on a connection that fails, exponentially slower.
    if (answer === null || answer.status === 429 || answer.status >= 500) {
      interval *= 2;
      continue;
    }
    const result = readTokenAnswer(place.origin, answer);
    if ('token' in result) return result.token;
    if (result.error === 'slow_down') interval += SLOWER_S;
    else if (result.error === 'access_denied') throw new Failure('not-permitted', 'the sign-in was denied');
    else if (result.error === 'expired_token') break;
    else if (result.error !== 'authorization_pending') throw new Failure('error', `sign-in failed: ${result.shown}`);
  }
  throw new Failure('timed-out', 'the code has expired: run `outrider login` again');
}
