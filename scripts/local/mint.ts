import { newTokenId } from '#schema/ids.ts';
import { SignJWT, importJWK } from 'jose';
import type { SigningKey } from './state/secrets.ts';

/** The plane takes nothing from its supervisor that lives longer. */
const LONGEST_SECONDS = 300;

/** What a token is to say. */
export interface TokenRequest {
  /** `PUBLIC_URL` of the plane. */
  readonly issuer: string;
  readonly audience: 'outrider' | 'outrider-operator';
  /** A user id, or `operator`. */
  readonly subject: string;
  /** Seconds, at most 300. */
  readonly lifetime?: number;
}

/** Signs a short-lived token (JWT, EdDSA) with the plane's own key. */
export async function mintToken(key: SigningKey, request: TokenRequest): Promise<string> {
  const lifetime = request.lifetime ?? LONGEST_SECONDS;
  if (lifetime > LONGEST_SECONDS) throw new RangeError(`a minted token lives at most ${LONGEST_SECONDS} s`);
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT()
    .setProtectedHeader({ alg: 'EdDSA', kid: key.kid, typ: 'JWT' })
    .setIssuer(request.issuer)
    .setAudience(request.audience)
    .setSubject(request.subject)
    .setJti(newTokenId())
    .setIssuedAt(now)
    .setExpirationTime(now + lifetime)
    .sign(await importJWK(key, 'EdDSA'));
}
