import { CLEARED_COOKIE } from '../../authn/browser/cookie.ts';
import { requireOwnForm } from '../../authn/browser/origin.ts';
import { findToken, revokeToken } from '../../store/sign-in/tokens.ts';
import type { Deps } from '../handler.ts';
import { markup, page } from './html.ts';
import { visitor } from './request.ts';

/** `POST /logout`: ends the session of this browser. To whoever has none it says the same: they are signed out. */
export async function answerLogout(request: Request, deps: Deps): Promise<Response> {
  requireOwnForm(request, deps.config.publicUrl);
  const caller = await visitor(request, deps);
  const token = caller === null ? null : await findToken(deps.db, caller.principal.token);
  if (token !== null) await revokeToken(deps.db, deps.commit, token, deps.now);
  deps.answer.set('set-cookie', CLEARED_COOKIE);
  const body = markup`
    <p>This browser has no session here any more. If you came by another sign-in service, you may still be signed in there.</p>
    <nav><a href="/login">Sign in again</a></nav>`;
  return await page('Signed out', body);
}
