import { OutriderError } from '#schema/errors.ts';

/**
 * The cookie of a browser's session; its value is the session's token. `__Host-` (RFC 6265bis §4.1.3.2): a browser takes it from this very host alone, over TLS, so neither a
 * sibling domain nor a plain-HTTP neighbour can plant one.
 *
 * SameSite=Lax and not Strict: sign-in at a provider comes back from another site, and a device's link is opened from a chat or a terminal; with Strict the person would seem
 * to be signed out there. What Strict would add, `origin.ts` does for every request that a cookie authenticates.
 */
export const SESSION_COOKIE = '__Host-outrider-session';

const ATTRIBUTES = 'Path=/; Secure; HttpOnly; SameSite=Lax';

/** Set-Cookie for a session. @param seconds until its token ends */
export function sessionCookie(token: string, seconds: number): string {
  return `${SESSION_COOKIE}=${token}; Max-Age=${Math.max(0, seconds)}; ${ATTRIBUTES}`;
}

/** Set-Cookie that ends it in the browser. */
export const CLEARED_COOKIE = `${SESSION_COOKIE}=; Max-Age=0; ${ATTRIBUTES}`;

/**
 * The session's token in a Cookie field; null: there is none.
 * @throws OutriderError unauthenticated: there are two, and nobody can say whose the second is
 */
export function sessionToken(cookie: string): string | null {
  const prefix = `${SESSION_COOKIE}=`;
  const values = cookie
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(prefix))
    .map((pair) => pair.slice(prefix.length));
  if (values.length > 1) throw new OutriderError('unauthenticated', 'there are two session cookies; sign in again');
  return values[0] ?? null;
}
