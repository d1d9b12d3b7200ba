import { OutriderError } from '#schema/errors.ts';
import { sessionCookie } from '../../authn/browser/cookie.ts';
import { readSettings } from '../../store/settings.ts';
import { findUser } from '../../store/users.ts';
import type { Deps } from '../handler.ts';
import { mint } from '../account/mint.ts';

/** What may be said about a sign-in. */
export interface SignInFacts {
  /** Shown among the person's tokens. */
  readonly description?: string;
  /**
   * Epoch seconds: when the person proved who they are. What was taken back after that moment stays so. Without it: now, or as soon as their last revocation lets tokens be good.
   */
  readonly issuedAt?: number;
}

/** A session that has begun. */
export interface StartedSession {
  readonly token: string;
  /** Epoch seconds: the end of this token. A browser gets it anew while it is in use (`reissue.ts`). */
  readonly expiresAt: number;
}

/**
 * Begins a browser's session for somebody who has just proved who they are: the end of every way to sign in with a browser. Always a new token: whatever cookie the browser had
 * before goes nowhere (session fixation).
 *
 * Kept in the database: the token's id with the session's absolute end and its idle limit. In the cookie: a token of that id that ends at the idle limit. So a session that rests
 * ends by itself, and one that was revoked ends everywhere, however often its token was issued anew.
 * @throws OutriderError unauthenticated: the account is gone or disabled; conflict: too many tokens
 */
export async function startSession(
  deps: Deps,
  userId: string,
  facts: SignInFacts = {},
): Promise<StartedSession & { readonly setCookie: string }> {
  const { token, expiresAt } = await begin(deps, userId, facts, 'browser');
  return { token, expiresAt, setCookie: sessionCookie(token, expiresAt - deps.now) };
}

/** The same for a program that keeps its token itself: one token, which ends when the session does. */
export async function startTokenSession(
  deps: Deps,
  userId: string,
  facts: SignInFacts = {},
): Promise<StartedSession & { readonly id: string }> {
  return await begin(deps, userId, facts, 'program');
}

async function begin(
  deps: Deps,
  userId: string,
  { description = 'sign-in', issuedAt }: SignInFacts,
  by: 'browser' | 'program',
): Promise<StartedSession & { id: string }> {
  const user = await findUser(deps.db, userId);
  if (user === null || !user.enabled) {
    throw new OutriderError('unauthenticated', 'the account is gone or disabled');
  }
  const { sessionTtlSeconds, sessionIdleSeconds } = await readSettings(deps.db);
  const idleSeconds = by === 'browser' ? sessionIdleSeconds : null;
  const expiresAt = deps.now + sessionTtlSeconds;
  const rests = idleSeconds === null ? expiresAt : Math.min(deps.now + idleSeconds, expiresAt);
  const { row, token } = await mint(
    deps,
    {
      userId,
      kind: 'session',
      description,
      cluster: null,
      readOnly: false,
      createdAt: issuedAt ?? Math.max(deps.now, user.notBefore),
      expiresAt,
      idleSeconds,
    },
    { until: rests },
  );
  return { id: row.id, token, expiresAt: rests };
}
