import type { Principal } from '#schema/access.ts';
import type { Endpoint, Who } from '#schema/api/endpoint.ts';
import { OutriderError, unknownCluster } from '#schema/errors.ts';
import { isPermission, type Permission } from '#schema/roles.ts';
import { authenticate, bearerToken, offeredToken } from '../authn/bearer.ts';
import { verifyOperator } from '../authn/operator.ts';
import { noteUse } from '../authn/use.ts';
import { findCaller, type CallerFacts } from '../store/rights/callers.ts';
import type { Deps, KnownCaller } from './handler.ts';
import { admitToken } from './request-rate.ts';
import { reissueSession } from './sign-in/reissue.ts';

const refuse = (code: OutriderError['code'], detail: string): OutriderError => new OutriderError(code, detail);

/** Said to members who ask for more. */
export const onlyOwners = (): OutriderError => refuse('forbidden', 'only owners of the cluster may do this');

/** Whether the cluster that was asked about exists for the caller: administrators are owners everywhere. */
export const knowsCluster = ({ clusterExists, administrator, role }: CallerFacts): boolean =>
  clusterExists && (administrator || role !== null);

/** Null: permitted. */
type Rule = (facts: CallerFacts) => OutriderError | null;

const needs =
  (permission: Permission): Rule =>
  ({ permissions }) =>
    permissions.has(permission) ? null : refuse('forbidden', `this needs the permission ${permission}`);

/** The table of {@link Who}, for those whom the database knows. */
const RULES: Record<Exclude<Who, 'anyone' | 'operator' | Permission>, Rule> = {
  person: () => null,
  administrator: (facts) => (facts.administrator ? null : refuse('forbidden', 'only administrators may do this')),
  'cluster-member': (facts) => (knowsCluster(facts) ? null : unknownCluster()),
  'cluster-owner': (facts) => {
    if (!knowsCluster(facts)) return unknownCluster();
    return facts.administrator || facts.role === 'owner' ? null : onlyOwners();
  },
};

/**
 * Whether a person with this token may call an endpoint. Pure.
 * @param cluster the cluster that the path names
 * @throws OutriderError the refusal
 */
export function judge(
  endpoint: Pick<Endpoint, 'who' | 'scope'>,
  principal: Principal,
  facts: CallerFacts | null,
  cluster: string | null,
): void {
  if (facts === null) throw refuse('unauthenticated', 'the account is gone');
  if (!facts.enabled) throw refuse('unauthenticated', 'the account is disabled');
  if (facts.tokenRevoked || principal.issuedAt < facts.notBefore) {
    throw refuse('unauthenticated', 'the token was revoked; sign in again');
  }
  const restricted = restriction(endpoint, principal, cluster);
  if (restricted !== null) throw restricted;
  if (endpoint.who === 'anyone' || endpoint.who === 'operator') return;
  const refusal = isPermission(endpoint.who) ? needs(endpoint.who)(facts) : RULES[endpoint.who](facts);
  if (refusal !== null) throw refusal;
}

/** A token may be good for less than its person. */
function restriction(
  { scope }: Pick<Endpoint, 'scope'>,
  principal: Principal,
  cluster: string | null,
): OutriderError | null {
  if (scope === 'self') return null;
  if (principal.readOnly && scope !== 'reads') return refuse('read_only', 'this token is read-only');
  if (principal.cluster === null) return null;
  if (scope === 'reads' && cluster === principal.cluster) return null;
  return refuse('wrong_scope', `this token is for the cluster ${principal.cluster} alone, and only reads here`);
}

/**
 * Finds out who calls and whether they may. Null: the endpoint has no caller.
 * @param cluster the cluster that the path names, if it is well-formed
 * @throws OutriderError the refusal
 */
export async function admit(
  endpoint: Endpoint,
  request: Request,
  deps: Deps,
  cluster: string | null,
): Promise<KnownCaller | null> {
  if (endpoint.who === 'anyone') return null;
  const { db, config, now } = deps;
  if (endpoint.who === 'operator') {
    await verifyOperator(config, bearerToken(request.headers), now);
    return null;
  }
  const principal = await authenticate(request, config, now);
  admitToken(principal.token);
  const facts = await findCaller(db, { user: principal.user, token: principal.token, cluster });
  deps.named({ id: principal.user, username: facts?.username ?? principal.user, token: principal.token });
  judge(endpoint, principal, facts, cluster);
  if (facts === null) throw refuse('unauthenticated', 'the account is gone');
  if (offeredToken(request.headers) === null) {
    // A token that is no session, and can be for less than its person, is no cookie: nobody has put it there but to get round a check.
    if (facts.session === null) throw refuse('unauthenticated', 'the cookie holds no session; sign in again');
    await reissueSession(deps, principal, facts);
  }
  noteUse(deps, principal.token, deps.address, now);
  return { principal, facts };
}
