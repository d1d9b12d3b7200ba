import { CLI_CLIENT_ID, DEVICE_GRANT, type pollDevice, type startDevice } from '#schema/api/account/oauth.ts';
import { randomBase32 } from '#schema/ids.ts';
import { hashSecret } from '../../authn/secret.ts';
import { beginAttempt } from '../../authn/throttle.ts';
import { OAuthError } from '../../oauth.ts';
import {
  addDeviceGrant,
  decideDeviceGrant,
  findDeviceGrant,
  pollDeviceGrant,
  useDeviceGrant,
  type DeviceGrant,
} from '../../store/sign-in/device-grants.ts';
import type { Deps, Handler, KnownCaller } from '../handler.ts';
import { accessToken, requireClient } from './grant.ts';
import { newUserCode, shownCode } from './codes.ts';

/** Long enough to find a browser and sign in, short enough that few codes are open to guesses. */
const EXPIRES_SECONDS = 600;
const INTERVAL_SECONDS = 5;
/** 200 bits. */
const DEVICE_CODE_LENGTH = 40;

/** Each leaves a row. */
const STARTS = { limit: 30, seconds: 600 } as const;

/**
 * Wrong codes that are borne. A code has 34 bits and lives ten minutes: with a thousand devices waiting, somebody with ten tries meets one of them once in two million times.
 */
const GUESSES = {
  person: { limit: 10, seconds: 900 },
  address: { limit: 30, seconds: 900 },
} as const;

export const handleStartDevice: Handler<typeof startDevice> = async ({ body }, deps) => {
  requireClient(body.client_id);
  const { db, now, address, config } = deps;
  await beginAttempt(
    db,
    'too many devices ask from this address',
    [{ kind: 'device-start', by: address ?? 'unknown', ...STARTS }],
    now,
  );
  const deviceCode = randomBase32(DEVICE_CODE_LENGTH);
  const userCode = newUserCode();
  await addDeviceGrant(db, {
    deviceHash: await hashSecret(deviceCode),
    userHash: await hashSecret(userCode),
    clientId: body.client_id,
    deviceName: body.device_name,
    address,
    createdAt: now,
    expiresAt: now + EXPIRES_SECONDS,
    interval: INTERVAL_SECONDS,
  });
  const uri = `${config.publicUrl}/device`;
  return {
    device_code: deviceCode,
    user_code: shownCode(userCode),
    verification_uri: uri,
    verification_uri_complete: `${uri}?user_code=${shownCode(userCode)}`,
    expires_in: EXPIRES_SECONDS,
    interval: INTERVAL_SECONDS,
  };
};

export const handlePollDevice: Handler<typeof pollDevice> = async ({ body }, deps) => {
  requireClient(body.client_id);
  if (body.grant_type !== DEVICE_GRANT) {
    throw new OAuthError('unsupported_grant_type', `the grant type here is ${DEVICE_GRANT}`);
  }
  const hash = await hashSecret(body.device_code);
  const grant = await pollDeviceGrant(deps.db, hash, deps.now);
  if (grant === null || grant.status === 'used') throw unknown();
  if (grant.status === 'denied') throw new OAuthError('access_denied', 'the person refused');
  if (grant.expiresAt <= deps.now) throw new OAuthError('expired_token', 'the code has expired; begin again');
  if (grant.status === 'pending') {
    throw grant.tooFast
      ? new OAuthError('slow_down', 'polls come too often; wait five seconds longer from now on')
      : new OAuthError('authorization_pending', 'the person has not decided yet');
  }
  if (!(await useDeviceGrant(deps.db, hash))) throw unknown();
  const named = grant.deviceName === '' ? '' : ` on ${grant.deviceName}`;
  return (await accessToken(deps, grant, `${CLI_CLIENT_ID}${named}, by device code`)).answer;
};

const unknown = (): OAuthError => new OAuthError('invalid_grant', 'the device code is not known, or was used');

/**
 * The device that waits with the code that a person has typed; null: there is none. Counts the attempt against the person and their address until it is right.
 * @throws OutriderError throttled
 */
export async function waitingDevice(
  { db, now, address }: Deps,
  { principal }: KnownCaller,
  code: string,
): Promise<DeviceGrant | null> {
  const attempt = await beginAttempt(
    db,
    'too many codes were wrong',
    [
      { kind: 'device-guess-person', by: principal.user, ...GUESSES.person },
      { kind: 'device-guess-address', by: address ?? 'unknown', ...GUESSES.address },
    ],
    now,
  );
  const grant = await findDeviceGrant(db, await hashSecret(code), now);
  if (grant !== null) await attempt.succeeded();
  return grant;
}

/** Writes down what the person decided. False: it was decided before, or the code has expired. */
export async function decideDevice(
  { db, now }: Deps,
  { principal }: KnownCaller,
  { code, approved }: { code: string; approved: boolean },
): Promise<boolean> {
  return await decideDeviceGrant(db, {
    userHash: await hashSecret(code),
    userId: principal.user,
    approved,
    // Whatever ends the session that approves ends what it has approved, collected or not.
    decidedAt: principal.issuedAt,
    now,
  });
}
