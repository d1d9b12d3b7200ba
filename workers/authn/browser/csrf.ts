import { base64url } from 'jose';
import type { Principal } from '#schema/access.ts';
import type { Config } from '../../env.ts';

/** Apart from cluster ids, which the same key authenticates: none of those begins so. */
const message = (session: string, purpose: string): BufferSource =>
  new TextEncoder().encode(JSON.stringify(['csrf', session, purpose]));

/**
 * A form's proof that it was made for this session and this purpose, beside the check of its Origin: for what gives somebody else a token. Made of the session's id and not of
 * its cookie, which may be issued anew while the form is open.
 */
export async function csrfToken(config: Config, { token }: Principal, purpose: string): Promise<string> {
  const mac = await crypto.subtle.sign('HMAC', config.clusterIdKey, message(token, purpose));
  return base64url.encode(new Uint8Array(mac));
}

/** Whether a form's token is the one for its session and purpose; the comparison is HMAC's own, in constant time. */
export async function isCsrfToken(
  config: Config,
  { token }: Principal,
  purpose: string,
  sent: string,
): Promise<boolean> {
  if (!/^[A-Za-z0-9_-]{43}$/.test(sent)) return false;
  const mac = new Uint8Array(base64url.decode(sent));
  return await crypto.subtle.verify('HMAC', config.clusterIdKey, mac, message(token, purpose));
}
