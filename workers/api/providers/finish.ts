import { moment } from '#schema/api/endpoint.ts';
import { OutriderError } from '#schema/errors.ts';
import type { SignedIn } from '../../authn/providers/people/sign-in.ts';
import { findUser } from '../../store/users.ts';
import type { Deps } from '../handler.ts';
import { mint } from '../mint.ts';
import { renderUser } from '../render.ts';

/** A working day and what is left of it at home. */
const SESSION_SECONDS = 16 * 3600;

/**
 * What somebody gets who has signed in through a provider with a browser: the one place that decides it.
 * @param description of the token in its person's list
 */
export async function finishSignIn(
  deps: Deps,
  { userId, issueAt }: SignedIn,
  { description, returnTo }: { description: string; returnTo: string },
): Promise<Response> {
  const user = await findUser(deps.db, userId);
  if (user === null) throw new OutriderError('sign_in_refused', 'this account is gone');
  const { row, token } = await mint(deps, {
    userId,
    kind: 'session',
    description,
    cluster: null,
    readOnly: false,
    createdAt: issueAt,
    expiresAt: deps.now + SESSION_SECONDS,
  });
  return Response.json({ token, expiresAt: moment(row.expiresAt), user: renderUser(user), returnTo });
}
