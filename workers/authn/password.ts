import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { OutriderError } from '#schema/errors.ts';

/**
 * scrypt (RFC 7914) with N=2^15, r=8, p=3: one of OWASP's equal choices, and the strongest whose memory (32 MiB) an isolate of 128 MiB can spare. workerd
 * refuses N·r·p above 2^20.
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

/** Hashes that may wait for their turn; more are turned away, since each holds 32 MiB for a tenth of a second while it runs. */
const MAX_WAITING = 16;
let waiting = 0;
let last: Promise<unknown> = Promise.resolve();

/** Runs one hash at a time in this isolate: two at once would take twice the memory and be no faster. */
async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (waiting >= MAX_WAITING) throw new OutriderError('overloaded', 'too many sign-ins at once; try again');
  waiting++;
  const turn = last.then(work);
  last = turn.catch(() => null);
  try {
    return await turn;
  } finally {
    waiting--;
  }
}

async function derive(password: string, salt: Uint8Array, { logN, r, p }: Parameters): Promise<Uint8Array> {
  const N = 2 ** logN;
  // What is typed on one keyboard may be composed differently on another (RFC 8265 §4.2.1 uses NFC).
  const text = password.normalize('NFC');
  return await inTurn(
    async () =>
      await new Promise((resolve, reject) => {
        scrypt(text, salt, HASH_OCTETS, { N, r, p, maxmem: 2 * 128 * N * r }, (error, key) => {
          if (error === null) resolve(key);
          else reject(error);
        });
      }),
  );
}

const encode = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes)).replaceAll('=', '');
const decode = (text: string): Uint8Array => Uint8Array.from(atob(text), (octet) => octet.charCodeAt(0));

function format({ logN, r, p }: Parameters, salt: Uint8Array, hash: Uint8Array): string {
  return `$scrypt$ln=${logN},r=${r},p=${p}$${encode(salt)}$${encode(hash)}`;
}

/** What is to be stored of a password. @throws OutriderError overloaded */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_OCTETS);
  return format(PARAMETERS, salt, await derive(password, salt, PARAMETERS));
}

/** Stands in for the hash of somebody who does not exist: asking about them costs as much. No password gives 32 zero octets. */
const NOBODY = format(PARAMETERS, new Uint8Array(SALT_OCTETS), new Uint8Array(HASH_OCTETS));

/**
 * Whether a password is the one that was hashed. `stored` null: there is no such person, which takes as long to find out.
 * @throws OutriderError overloaded
 */
export async function verifyPassword(password: string, stored: string | null): Promise<boolean> {
  const match = PHC.exec(stored ?? NOBODY);
  if (match === null) throw new Error('a stored password hash is not valid');
  const [, logN = '', r = '', p = '', salt = '', hash = ''] = match;
  const parameters = { logN: Number(logN), r: Number(r), p: Number(p) };
  if (2 ** parameters.logN * parameters.r * parameters.p > WORKERD_MAX_COST) {
    throw new Error('a stored password hash costs more than the runtime allows');
  }
  const derived = await derive(password, decode(salt), parameters);
  return timingSafeEqual(derived, decode(hash)) && stored !== null;
}
