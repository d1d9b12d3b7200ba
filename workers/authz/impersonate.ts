import {
  IMPERSONATE_EXTRA_PREFIX,
  IMPERSONATE_GROUP,
  IMPERSONATE_USER,
  TOKEN_EXTRA,
  USERNAME_EXTRA,
} from '#schema/kube/impersonation.ts';
import type { Field } from '#schema/protocol/codec/head.ts';
import type { Identity } from './policy.ts';

/**
 * The fields by which the API server takes an identity. Groups are repeated fields: a comma is part of a group's name
 * (Kubernetes `impersonation.go` reads each `Impersonate-Group` value as one group). Extra values are percent-encoded where they are not plain ASCII, which
 * header fields cannot carry portably; ids never are.
 */
export function impersonationFields(identity: Identity): Field[] {
  return [
    [IMPERSONATE_USER, identity.user],
    ...identity.groups.map((group): Field => [IMPERSONATE_GROUP, group]),
    [IMPERSONATE_EXTRA_PREFIX + USERNAME_EXTRA, asciiValue(identity.username)],
    [IMPERSONATE_EXTRA_PREFIX + TOKEN_EXTRA, identity.token],
  ];
}

function asciiValue(value: string): string {
  return /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(value) ? value : encodeURIComponent(value);
}
