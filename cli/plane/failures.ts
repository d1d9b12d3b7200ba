import * as z from 'zod';
import { type Exit, Failure, codeOf, oneLine, reasonOf } from '../exits.ts';

/** What of RFC 9457 is shown (`schema/api/problem.ts`), with bounds. */
const Problem = z.object({
  title: z.string().max(200),
  detail: z.string().max(2000),
  code: z.string().max(64),
  requestId: z.string().max(128).optional(),
  errors: z
    .array(z.object({ path: z.string().max(200), message: z.string().max(500) }))
    .max(100)
    .optional(),
});

/** An answer that is a refusal. `problem` is the plane's own code, `` where something else answered. */
export class Refusal extends Failure {
  readonly problem: string;
  readonly status: number;

  constructor(exit: Exit, message: string, { problem, status }: { problem: string; status: number }) {
    super(exit, message);
    this.name = 'Refusal';
    this.problem = problem;
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

/** What an answer that is not a success means for a person. */
export function refusalOf(origin: string, { status, body }: { status: number; body: string }): Refusal {
  const exit = EXIT_OF_STATUS[status] ?? 'error';
  const problem = parseProblem(body);
  if (problem === null) {
    const hint = status >= 300 && status < 400 ? ': is that the address of an Outrider plane?' : '';
    return new Refusal(exit, `${origin} answered with status ${status}${hint}`, { problem: '', status });
  }
  if (problem.code === 'unauthenticated') {
    return new Refusal(exit, `${signInHint(origin)} (the plane says: ${problem.detail})`, {
      problem: problem.code,
      status,
    });
  }
  const places = problem.errors?.map(({ path, message }) => `${path}: ${message}`).join('; ') ?? '';
  const said = places === '' || problem.detail.includes(places) ? problem.detail : `${problem.detail}: ${places}`;
  const request = status >= 500 && problem.requestId !== undefined ? ` (request ${problem.requestId})` : '';
  return new Refusal(exit, `${problem.title.toLowerCase()}: ${said}${request}`, { problem: problem.code, status });
}

/** What to do about not being signed in. */
export const signInHint = (origin: string): string =>
  `not signed in at ${origin}: run \`outrider login --server ${origin}\``;

function parseProblem(body: string): z.infer<typeof Problem> | null {
  try {
    return Problem.parse(JSON.parse(body));
  } catch {
    return null;
  }
}

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

/** What a request that got no answer means for a person. An unknown certificate is never trusted by asking (CVE-2025-67601): the person brings the CA. */
export function unreachable(origin: string, error: unknown, hasCa: boolean): Failure {
  const code = codeOf(error) ?? '';
  if (UNKNOWN_AUTHORITY.has(code)) {
    const what = hasCa
      ? 'its certificate was not signed by the CA that was given for it: if the CA was changed, get the new one from the administrator and sign in with --ca-file; if it is a public one now, forget the old by `outrider servers rm`'
      : 'its certificate was signed by an unknown authority: if that is meant to be, get the CA from the administrator and pass it with --ca-file';
    return new Failure('untrusted', `${origin} is not trusted: ${what} (${code})`, { cause: error });
  }
  const bad = BAD_CERTIFICATE[code];
  if (bad !== undefined) {
    return new Failure('untrusted', `${origin} is not trusted: its certificate ${bad} (${code})`, { cause: error });
  }
  return new Failure('unreachable', `cannot reach ${origin}: ${oneLine(reasonOf(error))}`, { cause: error });
}
