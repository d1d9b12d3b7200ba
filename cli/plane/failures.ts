import type { ApiError } from '#schema/api/client.ts';
import { type Exit, Failure, codeOf, oneLine, reasonOf } from '../exits.ts';

/** How much of a text from the plane is worth showing, in characters. */
const MAX_SHOWN = 2000;
/** How many places that are wrong. */
const MAX_PLACES = 20;

/** An answer that is a refusal. `code` is the plane's own, `unexpected` where something else answered. */
export class Refusal extends Failure {
  readonly code: string;
  readonly status: number;

  constructor(exit: Exit, message: string, { code, status }: { code: string; status: number }) {
    super(exit, message);
    this.name = 'Refusal';
    this.code = code;
    this.status = status;
  }
}

const EXIT_OF_STATUS: Readonly<Record<number, Exit>> = {
  401: 'not-signed-in',
  403: 'not-permitted',
  404: 'not-found',
  409: 'conflict',
  429: 'unreachable',
  502: 'unreachable',
  503: 'unreachable',
  504: 'unreachable',
};

/**
 * What an answer that is not a success means for a person.
 *
 * @param tokenHint what to do where the token is not good
 */
export function refusalOf(origin: string, error: ApiError, tokenHint = signInHint(origin)): Refusal {
  const { status, code } = error;
  return new Refusal(EXIT_OF_STATUS[status] ?? 'error', messageOf(origin, error, tokenHint), { code, status });
}

function messageOf(origin: string, { status, code, detail, problem, what }: ApiError, tokenHint: string): string {
  if (code === 'unexpected') {
    if (status >= 200 && status < 300) {
      // The body stays out of the message: it may hold a credential.
      return `${origin} answered ${what} with something that this version does not know: install the CLI that came with the plane`;
    }
    const hint = status >= 300 && status < 500 ? ': is that the address of an Outrider plane?' : '';
    return `${origin} answered ${what} with status ${status}${hint}`;
  }
  const shown = detail.slice(0, MAX_SHOWN);
  if (code === 'unauthenticated') return `${tokenHint} (the plane says: ${shown})`;
  if (problem === null) return shown === code ? code : `${shown} (${code})`;
  const places = (problem.errors ?? [])
    .slice(0, MAX_PLACES)
    .map(({ path, message }) => `${path}: ${message}`)
    .join('; ')
    .slice(0, MAX_SHOWN);
  const said = places === '' || shown.includes(places) ? shown : `${shown}: ${places}`;
  const request = status >= 500 ? ` (request ${problem.requestId.slice(0, 128)})` : '';
  return `${problem.title.toLowerCase().slice(0, 200)}: ${said}${request}`;
}

/** What to do about not being signed in. */
export const signInHint = (origin: string, what = 'not signed in'): string =>
  `${what} at ${origin}: run \`outrider login --server ${origin}\``;

/** OpenSSL's verdicts (`X509_V_ERR_…`, as Node names them) on a chain that leads to no authority that is trusted. */
const UNKNOWN_AUTHORITY = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_SIGNATURE_FAILURE',
  'INVALID_CA',
  'CERT_UNTRUSTED',
]);
const BAD_CERTIFICATE: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'has expired: tell the administrator (or look at this machine’s clock)',
  CERT_NOT_YET_VALID: 'is not valid yet: look at this machine’s clock',
  CERT_REVOKED: 'was revoked: tell the administrator',
  ERR_TLS_CERT_ALTNAME_INVALID: 'is for another name: use the address that the administrator gave you',
};

/** What the system says of a connection (errno(3), getaddrinfo(3)), for people. */
const UNREACHED: Readonly<Record<string, string>> = {
  ENOTFOUND: 'nobody knows that name: is the address right, and is there a network?',
  EAI_AGAIN: 'the name cannot be looked up now: is there a network?',
  ECONNREFUSED: 'nothing listens there: are the address and the port right?',
  ECONNRESET: 'the connection was closed from there',
  EHOSTUNREACH: 'no network leads there',
  ENETUNREACH: 'no network leads there',
  ETIMEDOUT: 'nothing answers there',
};

/** A way through a proxy that did not lead to the plane. */
export class ProxyRefusal extends Error {
  /** Of the answer to CONNECT (RFC 9110 §9.3.6). */
  constructor(status: number) {
    super(
      status === 407
        ? 'it wants a name and a password, which can be part of the URL'
        : `it answered CONNECT with status ${status}`,
    );
    this.name = 'ProxyRefusal';
  }
}

/**
 * What a request that got no answer means for a person. An unknown certificate is never trusted by asking (CVE-2025-67601): the person brings the CA.
 *
 * @param way whether a CA was given for the plane; and the proxy that was gone through
 */
export function unreachable(
  origin: string,
  error: unknown,
  way: { hasCa: boolean; proxy?: string | undefined },
): Failure {
  const code = codeOf(error) ?? '';
  if (UNKNOWN_AUTHORITY.has(code)) {
    const what = way.hasCa
      ? 'its certificate was not signed by the CA that was given for it: if the CA was changed, get the new one from the administrator and sign in with --ca-file; if it is a public one now, forget the old by `outrider servers rm`'
      : 'its certificate was signed by an unknown authority: if that is meant to be, get the CA from the administrator and pass it with --ca-file';
    return new Failure('untrusted', `${origin} is not trusted: ${what} (${code})`, { cause: error });
  }
  const bad = BAD_CERTIFICATE[code];
  if (bad !== undefined) {
    return new Failure('untrusted', `${origin} is not trusted: its certificate ${bad} (${code})`, { cause: error });
  }
  const through = way.proxy === undefined ? '' : ` through the proxy ${way.proxy} (HTTPS_PROXY)`;
  return new Failure('unreachable', `cannot reach ${origin}${through}: ${oneLine(wordsOf(code, error))}`, {
    cause: error,
  });
}

function wordsOf(code: string, error: unknown): string {
  const known = UNREACHED[code];
  if (known !== undefined) return `${known} (${code})`;
  const said = reasonOf(error);
  // OpenSSL, of what a server says that speaks plain HTTP.
  if (/wrong version number|packet length too long|http request/.test(said)) {
    return 'what answers there does not speak TLS: are the address and the port right?';
  }
  return said;
}
