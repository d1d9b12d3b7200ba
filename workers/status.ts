import { errorRow, OutriderError, type ErrorCode } from '#schema/errors.ts';
import { statusOf } from '#schema/kube/status.ts';

/** The stable code of a refusal. Only the plane's own answers have it: what a cluster says by this name is dropped (`cluster/streams/response.ts`). */
export const CODE_HEADER = 'outrider-code';

/**
 * The cluster's object to the Worker: the event of this call is the object's, and it says how the call ended. It is on the plane's own answers alone (what a cluster says by this name is dropped, too), and the Worker takes it off.
 */
export const TOLD_HEADER = 'outrider-told';

/** A refusal on `/k8s` as Kubernetes clients read it: `metav1.Status` with its code, and Retry-After only where nothing can have been executed. */
export function statusResponse(code: ErrorCode, message: string, requestId: string): Response {
  const { status, retryAfter } = errorRow(code);
  const headers = new Headers({
    'content-type': 'application/json',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    [CODE_HEADER]: code,
    'x-request-id': requestId,
  });
  if (retryAfter !== undefined) headers.set('retry-after', String(retryAfter));
  if (status === 401) headers.set('www-authenticate', 'Bearer realm="outrider"');
  return new Response(`${JSON.stringify(statusOf(code, message))}\n`, { status, headers });
}

/** The same for a thrown error; what is not a refusal of ours is an internal error, without its text. */
export function statusOfError(error: unknown, requestId: string): Response {
  if (error instanceof OutriderError) return statusResponse(error.code, error.message, requestId);
  return statusResponse('internal', `internal error; the request id is ${requestId}`, requestId);
}
