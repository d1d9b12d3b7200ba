import type { z } from 'zod';
import type { Problem } from '#schema/api/problem.ts';
import { errorRow, OutriderError, type ErrorCode } from '#schema/errors.ts';

/** The request does not have the shape that its endpoint declares. Says where and what was expected, never what was sent. */
export class ShapeError extends OutriderError {
  readonly errors: { path: string; message: string }[];
  constructor(issues: readonly z.core.$ZodIssue[]) {
    const errors = issues
      .slice(0, MAX_ISSUES)
      .map(({ path, message }) => ({ path: path.map(String).join('.'), message }));
    super('invalid', errors.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; '));
    this.errors = errors;
  }
}

/** A long list of wrong items would answer a small request with a large body. */
const MAX_ISSUES = 20;

/** The code that an error is rendered with. */
export function codeOf(error: unknown): ErrorCode {
  return error instanceof OutriderError ? error.code : 'internal';
}

/** A refusal as RFC 9457 has it. What is not a refusal of ours is an internal error, without its text. */
export function problemResponse(error: unknown, requestId: string): Response {
  const code = codeOf(error);
  const { status, title } = errorRow(code);
  const retryAfter = error instanceof OutriderError ? error.retryAfter : undefined;
  const problem: Problem = {
    type: 'about:blank',
    title,
    status,
    detail: error instanceof OutriderError ? error.message : `internal error; the request id is ${requestId}`,
    code,
    requestId,
    ...(error instanceof ShapeError ? { errors: error.errors } : {}),
  };
  const headers = new Headers({ 'content-type': 'application/problem+json' });
  if (retryAfter !== undefined) headers.set('retry-after', String(retryAfter));
  if (status === 401) headers.set('www-authenticate', 'Bearer realm="outrider"');
  return new Response(`${JSON.stringify(problem)}\n`, { status, headers });
}
