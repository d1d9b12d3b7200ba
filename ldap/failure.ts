import type { DirectoryProblem } from '#schema/directory/questions.ts';

/** LDAP result codes (RFC 4511 appendix A.1) that say what is wrong. */
export const ResultCode = {
  REFERRAL: 10,
  CONSTRAINT_VIOLATION: 19,
  NO_SUCH_OBJECT: 32,
  INVALID_DN_SYNTAX: 34,
  INAPPROPRIATE_AUTHENTICATION: 48,
  INVALID_CREDENTIALS: 49,
  BUSY: 51,
  UNAVAILABLE: 52,
  UNWILLING_TO_PERFORM: 53,
} as const;

/** A directory could not be asked. `message` goes to administrators: no names of people, no passwords. */
export class DirectoryFailure extends Error {
  readonly code: DirectoryProblem['code'];
  /** Another server may do better. */
  readonly passing: boolean;
  constructor(code: DirectoryProblem['code'], message: string, passing = false) {
    super(message);
    this.name = 'DirectoryFailure';
    this.code = code;
    this.passing = passing;
  }
}

/** The result code that a server answered with; null: it did not answer. */
export function resultCode(error: unknown): number | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : null;
}

/** What a failed operation means. What the server says besides its code is left out: it may repeat what it was asked. */
export function failureOf(error: unknown, server: string): DirectoryFailure {
  if (error instanceof DirectoryFailure) return error;
  const code = resultCode(error);
  if (code === null)
    return new DirectoryFailure(
      'unreachable',
      `${server}: the connection was lost, or nothing was answered in time`,
      true,
    );
  if (code === ResultCode.NO_SUCH_OBJECT || code === ResultCode.REFERRAL)
    return new DirectoryFailure('search_base', `${server}: there is nothing at the search base`);
  const passing = code === ResultCode.BUSY || code === ResultCode.UNAVAILABLE;
  return new DirectoryFailure(passing ? 'unreachable' : 'failed', `${server}: LDAP result code ${code}`, passing);
}
