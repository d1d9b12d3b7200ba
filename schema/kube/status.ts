import { errorRow, type ErrorCode } from '../errors.ts';

/** `metav1.Status` as kubectl prints it (Kubernetes `apimachinery/pkg/apis/meta/v1/types.go`). */
export interface Status {
  kind: 'Status';
  apiVersion: 'v1';
  metadata: Record<string, never>;
  status: 'Failure';
  message: string;
  reason: string;
  details?: { retryAfterSeconds: number };
  code: number;
}

/** The Status of a refusal by the plane. */
export function statusOf(code: ErrorCode, message: string): Status {
  const { status, reason, retryAfter } = errorRow(code);
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message,
    reason,
    ...(retryAfter === undefined ? {} : { details: { retryAfterSeconds: retryAfter } }),
    code: status,
  };
}
