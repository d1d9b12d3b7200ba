/** Header fields by which Kubernetes takes an identity: `apiserver/pkg/endpoints/filters/impersonation.go`, `staging/src/k8s.io/api/authentication/v1/types.go`. */
export const IMPERSONATE_USER = 'impersonate-user';
export const IMPERSONATE_GROUP = 'impersonate-group';
export const IMPERSONATE_UID = 'impersonate-uid';
export const IMPERSONATE_EXTRA_PREFIX = 'impersonate-extra-';
/** Anything that begins so belongs to impersonation, now or in a later version. */
export const IMPERSONATE_PREFIX = 'impersonate-';
/** Request header authentication of the aggregation layer (`--requestheader-*`); never a client's to send. */
export const REMOTE_PREFIX = 'x-remote-';

/** Extra keys are percent-encoded in the field name (Kubernetes `unescapeExtraKey`): `outrider.dev/username`. */
export const USERNAME_EXTRA = 'outrider.dev%2fusername';
export const TOKEN_EXTRA = 'outrider.dev%2ftoken';
