import { Failure } from '../exits.ts';
import { Refusal } from '../plane/failures.ts';
import { MAX_TOKEN } from '../state/servers.ts';

/** A token as it may stand in a header field (RFC 6750 §2.1, b64token), or null. A browser's sign-in has its token in a cookie, and none in the answer. */
export function grantedToken(origin: string, token: string | null): string {
  if (token === null || token.length > MAX_TOKEN || !/^[\w.~+/-]+=*$/.test(token)) {
    throw new Failure('error', `${origin} answered with no token that can be used`);
  }
  return token;
}

/** Why a flow cannot begin: a plane that has no such endpoint has other ways in. */
export function withoutFlow(origin: string, error: unknown): unknown {
  if (!(error instanceof Refusal) || error.status !== 404) return error;
  return new Failure('not-found', `${origin} has no such sign-in: use --username for a local account, or --with-token`);
}
