import type { AccessSnapshot, Person, Principal } from '#schema/access.ts';
import type { ErrorCode } from '#schema/errors.ts';
import { refusedToReadOnly, type RequestFacts } from './read-only.ts';

/** Who the API server is told is calling. */
export interface Identity {
  user: string;
  groups: readonly string[];
  username: string;
  token: string;
}

export type Decision =
  | { allow: true; identity: Identity }
  | { allow: false; code: ErrorCode; message: string }
  /** The snapshot is older than the token: fetch a newer one and ask again. */
  | { allow: 'unknown' };

const refuse = (code: ErrorCode, message: string): Decision => ({ allow: false, code, message });

/**
 * Whether a principal may send a request to a cluster, and as whom. Pure; the cluster's own RBAC judges what the request does.
 * @param now epoch seconds
 */
export function decide(snapshot: AccessSnapshot, principal: Principal, facts: RequestFacts, now: number): Decision {
  const cluster = snapshot.cluster.id;
  if (principal.cluster !== null && principal.cluster !== cluster) {
    return refuse('wrong_scope', `this token is for cluster ${principal.cluster}, not for ${cluster}`);
  }
  if (principal.expiresAt <= now) return refuse('unauthenticated', 'the token has expired; sign in again');
  if (Object.hasOwn(snapshot.revokedTokens, principal.token)) {
    return refuse('unauthenticated', 'the token was revoked; sign in again');
  }
  const person = personOf(snapshot, principal);
  if (person === undefined) {
    if (snapshot.version < principal.accessVersion) return { allow: 'unknown' };
    return refuse('no_access', `user ${principal.user} has no access to cluster ${snapshot.cluster.name}`);
  }
  if (!person.enabled) return refuse('unauthenticated', 'the account is disabled');
  if (principal.issuedAt < person.notBefore) {
    return refuse(
      'unauthenticated',
      'the token was issued before all tokens of the account were revoked; sign in again',
    );
  }
  const refused = principal.readOnly ? refusedToReadOnly(facts) : null;
  if (refused !== null) return refuse('read_only', `this token is read-only: ${refused}`);
  return { allow: true, identity: identityOf(person, principal) };
}

/** `Object.hasOwn`: a user id is checked by its schema, but a lookup of `constructor` must never find one. */
function personOf(snapshot: AccessSnapshot, principal: Principal): Person | undefined {
  return Object.hasOwn(snapshot.people, principal.user) ? snapshot.people[principal.user] : undefined;
}

function identityOf(person: Person, principal: Principal): Identity {
  return {
    user: principal.user,
    // The API server adds system:authenticated to whoever is impersonated (apiserver/pkg/endpoints/filters/impersonation.go), and authorizes each group that is asked for.
    groups: person.groups,
    username: person.username,
    token: principal.token,
  };
}
