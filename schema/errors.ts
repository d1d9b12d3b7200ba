/**
 * Every refusal of the plane: stable code → HTTP status, `metav1.Status.reason` (Kubernetes `apimachinery/pkg/apis/meta/v1/types.go`,
 * `StatusReason`), and a title for RFC 9457 problems. Rendered once at the edge: `workers/status.ts` for `/k8s`, `workers/problem.ts`
 * for `/v1` and `/connect`.
 *
 * `retryAfter` (seconds): client-go retries any 429 or 5xx that carries Retry-After (kubernetes#16807), so it is set only where nothing can have been executed.
 */
interface ErrorRow {
  status: number;
  reason: string;
  title: string;
  retryAfter?: number;
}

export const ERRORS = {
  unauthenticated: { status: 401, reason: 'Unauthorized', title: 'Not signed in, or the token is not valid' },
  invalid_credentials: { status: 401, reason: 'Unauthorized', title: 'Wrong name or password' },
  password_change_required: { status: 403, reason: 'Forbidden', title: 'The password must be changed first' },
  no_access: { status: 403, reason: 'Forbidden', title: 'No access to this cluster' },
  forbidden: { status: 403, reason: 'Forbidden', title: 'Not permitted' },
  wrong_scope: { status: 403, reason: 'Forbidden', title: 'The token is for another cluster' },
  read_only: { status: 403, reason: 'Forbidden', title: 'The token is read-only' },
  impersonation_refused: { status: 403, reason: 'Forbidden', title: 'Impersonation is not granted' },
  cross_origin: { status: 403, reason: 'Forbidden', title: 'Cross-origin browser request' },
  not_found: { status: 404, reason: 'NotFound', title: 'Not found' },
  unknown_cluster: { status: 404, reason: 'NotFound', title: 'Unknown cluster' },
  method_not_allowed: { status: 405, reason: 'MethodNotAllowed', title: 'Method not allowed' },
  conflict: { status: 409, reason: 'Conflict', title: 'Conflict' },
  already_imported: { status: 409, reason: 'AlreadyExists', title: 'The cluster is imported already' },
  bad_request: { status: 400, reason: 'BadRequest', title: 'Bad request' },
  invalid: { status: 422, reason: 'Invalid', title: 'Invalid' },
  websocket_required: { status: 400, reason: 'BadRequest', title: 'SPDY is not supported' },
  too_large: { status: 413, reason: 'RequestEntityTooLarge', title: 'Too large' },
  headers_too_large: { status: 431, reason: 'BadRequest', title: 'Header fields too large' },
  overloaded: { status: 429, reason: 'TooManyRequests', title: 'Too many requests', retryAfter: 1 },
  throttled: { status: 429, reason: 'TooManyRequests', title: 'Too many attempts', retryAfter: 5 },
  /** No Retry-After: client-go would try ten times before it tells the person what is wrong (rancher#39597, decision 0005). */
  tunnel_down: { status: 503, reason: 'ServiceUnavailable', title: 'The cluster is not connected' },
  access_unavailable: {
    status: 503,
    reason: 'ServiceUnavailable',
    title: 'Access cannot be decided now',
    retryAfter: 2,
  },
  upstream_unreachable: {
    status: 503,
    reason: 'ServiceUnavailable',
    title: 'The API server cannot be reached',
    retryAfter: 2,
  },
  /** After dispatch: the request may have been executed. */
  tunnel_lost: { status: 502, reason: 'InternalError', title: 'The tunnel was lost while the request was under way' },
  upstream_lost: { status: 502, reason: 'InternalError', title: 'The API server closed the connection' },
  upstream_protocol: {
    status: 502,
    reason: 'InternalError',
    title: 'The agent answered with something that is not HTTP',
  },
  /** What was asked for may have been done, and nobody would find out by whom. */
  audit_unavailable: { status: 503, reason: 'ServiceUnavailable', title: 'The audit log cannot be written' },
  agent_outdated: {
    status: 503,
    reason: 'ServiceUnavailable',
    title: "The cluster's agent is too old for this, and has to be updated",
  },
  agent_timeout: { status: 504, reason: 'Timeout', title: 'The agent did not answer in time' },
  agent_failed: { status: 502, reason: 'InternalError', title: 'The agent could not answer' },
  /** A directory that a provider of sign-in asks. Nothing was changed, but a password may have been counted as an attempt. */
  directory_unavailable: { status: 502, reason: 'InternalError', title: 'The directory cannot be asked' },
  sign_in_failed: { status: 401, reason: 'Unauthorized', title: 'The sign-in did not succeed' },
  sign_in_refused: { status: 403, reason: 'Forbidden', title: 'This plane does not let them in' },
  provider_untested: { status: 409, reason: 'Conflict', title: 'The provider was not tested in this form' },
  provider_unavailable: {
    status: 503,
    reason: 'ServiceUnavailable',
    title: 'The sign-in provider cannot be asked now',
  },
  /** RFC 9110 §15.5.13. */
  precondition_failed: { status: 412, reason: 'Conflict', title: 'It has changed since it was seen' },
  internal: { status: 500, reason: 'InternalError', title: 'Internal error' },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

/** A refusal to be rendered at the edge. `detail` is shown to the caller: what happened and what to do, without secrets. */
export class OutriderError extends Error {
  readonly code: ErrorCode;
  /** Seconds, where it is known better than the row of the code knows it. */
  readonly retryAfter: number | undefined;
  constructor(code: ErrorCode, detail: string, { retryAfter }: { retryAfter?: number } = {}) {
    super(detail);
    this.name = 'OutriderError';
    this.code = code;
    this.retryAfter = retryAfter ?? errorRow(code).retryAfter;
  }
}

/** The row of a code, with `retryAfter` visible where it is set. */
export function errorRow(code: ErrorCode): ErrorRow {
  return ERRORS[code];
}

/** The one refusal for a cluster that is not there, and for one that the caller has no role in: to them it does not exist. */
export function unknownCluster(): OutriderError {
  return new OutriderError('unknown_cluster', 'there is no such cluster, or you have no role in it');
}
