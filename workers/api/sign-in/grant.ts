import { CLI_CLIENT_ID } from '#schema/api/account/oauth.ts';
import { OAuthError } from '../../oauth.ts';
import { findUser } from '../../store/users.ts';
import type { Deps } from '../handler.ts';
import { startTokenSession } from './session.ts';

/** What a person granted to a program, and when they were last known to be themselves: the issue time of the session by which they did, epoch seconds. */
interface Granted {
  readonly userId: string | null;
  readonly decidedAt: number | null;
}

/** RFC 6749 §5.1. */
interface AccessToken {
  readonly access_token: string;
  readonly token_type: 'Bearer';
  readonly expires_in: number;
}

/** @throws OAuthError invalid_client */
export function requireClient(clientId: string): void {
  if (clientId !== CLI_CLIENT_ID) throw new OAuthError('invalid_client', `the client here is ${CLI_CLIENT_ID}`);
}

/**
 * The token that a program gets by what its person granted. It counts as issued when they signed in: a revocation of all their tokens between the grant and now ends it too.
 * @throws OAuthError access_denied: they are kept out by now, or their sessions were ended
 */
export async function accessToken(
  deps: Deps,
  { userId, decidedAt }: Granted,
  description: string,
): Promise<{ id: string; answer: AccessToken }> {
  const user = userId === null ? null : await findUser(deps.db, userId);
  if (user === null || decidedAt === null || !user.enabled || decidedAt < user.notBefore) {
    throw new OAuthError('access_denied', 'the person may not sign in any more');
  }
  deps.named(user);
  const { id, token, expiresAt } = await startTokenSession(deps, user.id, { description, issuedAt: decidedAt });
  return { id, answer: { access_token: token, token_type: 'Bearer', expires_in: expiresAt - deps.now } };
}
