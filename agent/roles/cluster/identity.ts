import { AUTHENTICATED_GROUP } from '#schema/access.ts';
import {
  IMPERSONATE_EXTRA_PREFIX,
  IMPERSONATE_GROUP,
  IMPERSONATE_PREFIX,
  IMPERSONATE_UID,
  IMPERSONATE_USER,
} from '#schema/kube/impersonation.ts';
import type { Field } from '#schema/protocol/codec/head.ts';

/** Kubernetes reserves these names for itself and its components (Kubernetes docs: "Authenticating", impersonation; `apiserver/pkg/authentication/user`). */
const RESERVED = /^[\s\u0085\u200b\u2060\ufeff]*system:/i;

/** The agent's last word on whom it acts for, whatever the plane asks (`design.md` §2). */
export type IdentityVerdict = { allowed: true } | { allowed: false; reason: string };

const refuse = (reason: string): IdentityVerdict => ({ allowed: false, reason });

/** What is asked of each impersonation field; null: nothing against it. Reasons never hold the value. */
const RULES: Readonly<Record<string, (value: string) => string | null>> = {
  [IMPERSONATE_USER]: (value) => {
    if (value.trim() === '') return 'the impersonated user is empty';
    return RESERVED.test(value) ? 'a system: user is never impersonated' : null;
  },
  [IMPERSONATE_GROUP]: (value) => {
    if (value.trim() === '') return 'an impersonated group is empty';
    if (value === AUTHENTICATED_GROUP) return null;
    return RESERVED.test(value) ? 'a system: group is never impersonated' : null;
  },
  [IMPERSONATE_UID]: () => null,
};

/**
 * Whether the identity in a request's fields may be impersonated: exactly one user, no `system:` user, no `system:` group but
 * `system:authenticated`, no impersonation field that is not known. Without a user the request would run as the agent itself, which may impersonate anybody.
 */
export function judgeIdentity(fields: readonly Field[]): IdentityVerdict {
  let users = 0;
  for (const [name, value] of fields) {
    // The decoder admits lower-case names only; this holds even if it did not.
    const field = name.trim().toLowerCase();
    if (!field.startsWith(IMPERSONATE_PREFIX) || field.startsWith(IMPERSONATE_EXTRA_PREFIX)) continue;
    const rule = RULES[field];
    if (rule === undefined) return refuse('an impersonation field that the agent does not know');
    const against = rule(value);
    if (against !== null) return refuse(against);
    if (field === IMPERSONATE_USER) users++;
  }
  if (users !== 1) return refuse(users === 0 ? 'the request names no user' : 'the request names more than one user');
  return { allowed: true };
}
