import { jwtVerify, SignJWT, type JWTHeaderParameters } from 'jose';
import * as z from 'zod';
import type { Principal } from '#schema/access.ts';
import { OutriderError } from '#schema/errors.ts';
import { ClusterId, TokenId, UserId } from '#schema/ids.ts';
import type { Config } from '../env.ts';

/** `EdDSA` (RFC 8037) and nothing else: no `none`, and no algorithm for which a public key could be a secret. */
const ALGORITHM = 'EdDSA';

/** Private claim names are under the project's domain (RFC 7519 §4.3). */
const PRIVATE = 'outrider.dev/';
const CLUSTER = 'outrider.dev/cluster';
const READ_ONLY = 'outrider.dev/readonly';
const ACCESS = 'outrider.dev/access';

/** Our longest token has a third of this; anything longer is not ours and costs no signature check. */
export const MAX_TOKEN_LENGTH = 2048;

/** What every JWT of this plane is: who it is for and what it says. */
export interface Kind<Claims extends z.ZodObject> {
  readonly audience: string;
  /** Good under whatever address the plane had when it was signed: audience and our keys tell enough. Otherwise the issuer is the plane's present address. */
  readonly anyIssuer?: true;
  /** RFC 8725 §3.11: one kind of token is never taken for another. */
  readonly type: string;
  readonly claims: Claims;
}

const seconds = z.int().min(0);

const PERSON = {
  audience: 'outrider',
  type: 'JWT',
  claims: z.object({
    sub: UserId,
    jti: TokenId,
    iat: seconds,
    exp: seconds,
    [CLUSTER]: ClusterId.optional(),
    [READ_ONLY]: z.boolean().optional(),
    [ACCESS]: z.int().min(0).optional(),
  }),
} as const;

/** Signs claims with the plane's first key. */
export async function sign(
  config: Config,
  kind: Pick<Kind<z.ZodObject>, 'audience' | 'type'>,
  claims: Record<string, unknown>,
): Promise<string> {
  const [key] = config.signingKeys;
  return await new SignJWT(claims)
    .setProtectedHeader({ alg: ALGORITHM, kid: key.kid, typ: kind.type })
    .setIssuer(config.publicUrl)
    .setAudience(kind.audience)
    .sign(key.privateKey);
}

/**
 * The claims of a JWT whose signature, algorithm, type, issuer, audience and times hold, and that says nothing more of ours than its kind knows. The key is looked up by `kid` in our own table; keys and addresses
 * that a header brings along (`jwk`, `jku`, `x5c`) are never looked at.
 * @param now epoch seconds
 * @throws OutriderError unauthenticated, without saying which check failed
 */
export async function verify<Claims extends z.ZodObject>(
  config: Config,
  kind: Kind<Claims>,
  token: string,
  now: number,
): Promise<z.output<Claims>> {
  if (token.length > MAX_TOKEN_LENGTH) throw refused();
  let payload: object;
  try {
    ({ payload } = await jwtVerify(token, (header) => publicKey(config, header), {
      algorithms: [ALGORITHM],
      ...(kind.anyIssuer === true ? {} : { issuer: config.publicUrl }),
      audience: kind.audience,
      typ: kind.type,
      currentDate: new Date(now * 1000),
    }));
  } catch {
    throw refused();
  }
  const claims = kind.claims.safeParse(payload);
  if (!claims.success || saysMore(payload, kind.claims)) throw refused();
  return claims.data;
}

/** A claim of ours that this deploy does not know, or not of this kind, may be a restriction: a token that carries one is refused rather than believed in part. */
function saysMore(payload: object, { shape }: z.ZodObject): boolean {
  return Object.keys(payload).some((name) => name.startsWith(PRIVATE) && !Object.hasOwn(shape, name));
}

function publicKey(config: Config, header: JWTHeaderParameters): CryptoKey {
  const key = config.signingKeys.find(({ kid }) => kid === header.kid);
  if (key === undefined) throw refused();
  return key.publicKey;
}

const refused = (): OutriderError =>
  new OutriderError('unauthenticated', 'the token is not valid or has expired; sign in again');

/** Makes the token of a principal. */
export async function signToken(config: Config, principal: Principal): Promise<string> {
  return await sign(config, PERSON, {
    sub: principal.user,
    jti: principal.token,
    iat: principal.issuedAt,
    exp: principal.expiresAt,
    [ACCESS]: principal.accessVersion,
    ...(principal.cluster === null ? {} : { [CLUSTER]: principal.cluster }),
    ...(principal.readOnly ? { [READ_ONLY]: true } : {}),
  });
}

/**
 * Whom a token speaks for.
 * @param now epoch seconds
 * @throws OutriderError unauthenticated
 */
export async function verifyToken(config: Config, token: string, now: number): Promise<Principal> {
  const claims = await verify(config, PERSON, token, now);
  return {
    user: claims.sub,
    token: claims.jti,
    issuedAt: claims.iat,
    expiresAt: claims.exp,
    cluster: claims[CLUSTER] ?? null,
    readOnly: claims[READ_ONLY] ?? false,
    accessVersion: claims[ACCESS] ?? 0,
  };
}
