import type * as z from 'zod';
import type { Session } from '#schema/api/account/auth.ts';
import { moment } from '#schema/api/endpoint.ts';
import type { User } from '../../store/users.ts';
import type { Deps } from '../handler.ts';
import { renderUser } from '../render.ts';
import { startSession, startTokenSession } from '../sign-in/session.ts';

/**
 * Begins a session for somebody who has just shown their password, and answers with it.
 * @param how `browser`: the token goes into a cookie, and not into the answer; `issuedAt`: epoch seconds, not before what ends older tokens
 */
export async function openSession(
  deps: Deps,
  user: User,
  { browser, issuedAt }: { browser: boolean; issuedAt: number },
): Promise<z.input<typeof Session>> {
  const rendered = { ...renderUser(user), passwordPending: false };
  if (!browser) {
    const { token, expiresAt } = await startTokenSession(deps, user.id, { issuedAt });
    return { token, expiresAt: moment(expiresAt), user: rendered };
  }
  const { expiresAt, setCookie } = await startSession(deps, user.id, { issuedAt });
  deps.answer.append('set-cookie', setCookie);
  return { token: null, expiresAt: moment(expiresAt), user: rendered };
}
