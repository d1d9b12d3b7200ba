import type { SignedIn } from '../../authn/providers/people/sign-in.ts';
import type { Deps } from '../handler.ts';
import { seeOther } from '../pages/html.ts';
import { startSession } from '../sign-in/session.ts';

/**
 * What somebody gets who has signed in through a provider with a browser: a session, and to where they were going.
 * @param description of the session in its person's list
 */
export async function finishSignIn(
  deps: Deps,
  { userId, issueAt }: SignedIn,
  { description, returnTo }: { description: string; returnTo: string },
): Promise<Response> {
  // Not as of now: what was taken back since they were let in stays so.
  const { setCookie } = await startSession(deps, userId, { description, issuedAt: issueAt });
  deps.answer.append('set-cookie', setCookie);
  return seeOther(returnTo);
}
