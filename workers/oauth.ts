import { OutriderError } from '#schema/errors.ts';

/** RFC 6749 §5.2 and RFC 8628 §3.5; `slow_down` is said to who asks too often, too. */
export type OAuthCode =
  | 'invalid_request'
  | 'invalid_client'
  | 'invalid_grant'
  | 'unsupported_grant_type'
  | 'authorization_pending'
  | 'slow_down'
  | 'access_denied'
  | 'expired_token';

/** A refusal as OAuth's clients read it. `description` is for the people who write them. */
export class OAuthError extends OutriderError {
  readonly error: OAuthCode;
  readonly status: 400 | 429;
  constructor(error: OAuthCode, description: string, { retryAfter }: { retryAfter?: number } = {}) {
    super(retryAfter === undefined ? 'bad_request' : 'throttled', description, {
      ...(retryAfter === undefined ? {} : { retryAfter }),
    });
    this.error = error;
    this.status = retryAfter === undefined ? 400 : 429;
  }
}

/** Any refusal of an endpoint whose clients know OAuth only. What is no refusal stays what it is. */
export function asOAuthError(error: unknown): unknown {
  if (!(error instanceof OutriderError) || error instanceof OAuthError) return error;
  if (error.retryAfter !== undefined) {
    return new OAuthError('slow_down', error.message, { retryAfter: error.retryAfter });
  }
  return new OAuthError('invalid_request', error.message);
}

/** What RFC 6749 §5.2 lets an `error_description` consist of. */
const describable = (text: string): string => text.replaceAll(/[^\x20-\x21\x23-\x5B\x5D-\x7E]/g, "'");

export function oauthResponse({ error, status, message, retryAfter }: OAuthError): Response {
  return Response.json(
    { error, error_description: describable(message) },
    { status, headers: retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) } },
  );
}
