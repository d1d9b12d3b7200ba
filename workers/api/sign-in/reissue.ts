import type { Principal } from '#schema/access.ts';
import { sessionCookie } from '../../authn/browser/cookie.ts';
import { signToken } from '../../authn/token.ts';
import type { CallerFacts } from '../../store/rights/callers.ts';
import type { Deps } from '../handler.ts';

/** A session's token is issued anew when that lets it live for so much longer, seconds: at most once in five minutes, so no answer in a row of them carries a cookie but the first. */
const WORTH_SECONDS = 300;

/**
 * Lets the session of a browser that is at work go on, up to its absolute end: the answer carries the same token with a later end. It costs a signature and no write; what was
 * revoked is revoked by the token's id, which stays. Requests to clusters do not: they ask no database, so a page that asks nothing else asks `/v1/me` now and then.
 */
export async function reissueSession(
  { config, now, answer }: Pick<Deps, 'config' | 'now' | 'answer'>,
  principal: Principal,
  { session }: Pick<CallerFacts, 'session'>,
): Promise<void> {
  if (session === null) return;
  const expiresAt = Math.min(now + session.idleSeconds, session.expiresAt);
  if (expiresAt - principal.expiresAt < WORTH_SECONDS) return;
  const token = await signToken(config, { ...principal, expiresAt });
  answer.append('set-cookie', sessionCookie(token, expiresAt - now));
}
