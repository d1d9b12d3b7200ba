import { randomBytes, scryptSync, timingSafeEqual } from 'node:crypto';
import { NO_PASSWORD } from '../store/users.ts';

/**
 * scrypt (RFC 7914) with N=2^15, r=8, p=3: one of OWASP's equal choices, and the strongest whose memory (32 MiB) an isolate of 128 MiB can spare. workerd
 * refuses N·r·p above 2^20.
 *
 * workerd computes scrypt at once, its asynchronous form too: everything else in the isolate waits for those 0.1 to 0.2 s, so there is nothing to queue, and one hash
 * holds its 32 MiB at a time. What keeps a flood of sign-ins from the isolate is that `throttle.ts` counts an attempt, and turns it away, before it is hashed; so whoever
 * calls {@link verifyPassword} for a stranger must count first. Many addresses that try many names stay below every count: those are for the edge to stop.
 */
const PARAMETERS = { logN: 15, r: 8, p: 3 } as const;
const WORKERD_MAX_COST = 2 ** 20;
const SALT_OCTETS = 16;
const HASH_OCTETS = 32;

interface Parameters {
  readonly logN: number;
  readonly r: number;
  readonly p: number;
}

/** PHC string format, with base64 without padding: the parameters are kept with each hash, so they can be raised. */
const PHC = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{22})\$([A-Za-z0-9+/]{43})$/;

function derive(password: string, salt: Uint8Array, { logN, r, p }: Parameters): Uint8Array {
  const N = 2 ** logN;
  // What is typed on one keyboard may be composed differently on another (RFC 8265 §4.2.1 uses NFC).
  return scryptSync(password.normalize('NFC'), salt, HASH_OCTETS, { N, r, p, maxmem: 2 * 128 * N * r });
}

const encode = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes)).replaceAll('=', '');
const decode = (text: string): Uint8Array => Uint8Array.from(atob(text), (octet) => octet.charCodeAt(0));

function format({ logN, r, p }: Parameters, salt: Uint8Array, hash: Uint8Array): string {
  return `$scrypt$ln=${logN},r=${r},p=${p}$${encode(salt)}$${encode(hash)}`;
}

/** What is to be stored of a password. */
export function hashPassword(password: string): string {
  const salt = randomBytes(SALT_OCTETS);
  return format(PARAMETERS, salt, derive(password, salt, PARAMETERS));
}

/** Stands in for the hash of somebody who does not exist: asking about them costs as much. No password gives 32 zero octets. */
const NOBODY = format(PARAMETERS, new Uint8Array(SALT_OCTETS), new Uint8Array(HASH_OCTETS));

/**
 * Whether a password is the one that was hashed. `stored` null: there is no such person; {@link NO_PASSWORD}: they have none. Both take as long to find out.
 */
export function verifyPassword(password: string, stored: string | null): boolean {
  const known = stored === NO_PASSWORD ? null : stored;
  const match = PHC.exec(known ?? NOBODY);
  if (match === null) throw new Error('a stored password hash is not valid');
  const [, logN = '', r = '', p = '', salt = '', hash = ''] = match;
  const parameters = { logN: Number(logN), r: Number(r), p: Number(p) };
  if (2 ** parameters.logN * parameters.r * parameters.p > WORKERD_MAX_COST) {
    throw new Error('a stored password hash costs more than the runtime allows');
  }
  const derived = derive(password, decode(salt), parameters);
  return timingSafeEqual(derived, decode(hash)) && known !== null;
}
