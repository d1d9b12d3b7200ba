import { base64url } from 'jose';
import { CLI_CLIENT_ID, type exchangeCode } from '#schema/api/account/oauth.ts';
import { randomBase32 } from '#schema/ids.ts';
import { hashSecret } from '../../authn/secret.ts';
import { OAuthError } from '../../oauth.ts';
import { addCodeGrant, grantedToken, setGrantedToken, useCodeGrant } from '../../store/sign-in/code-grants.ts';
import { findToken, revokeToken } from '../../store/sign-in/tokens.ts';
import type { Deps, Handler, KnownCaller } from '../handler.ts';
import { accessToken, requireClient } from './grant.ts';

/** The program waits for it on the same machine. */
const EXPIRES_SECONDS = 60;
/** 200 bits. */
const CODE_LENGTH = 40;

/** RFC 7636 §4.1. */
const VERIFIER = /^[A-Za-z0-9._~-]{43,128}$/;

/** Makes a code for a program on the person's machine, which they have consented to. */
export async function grantCode(
  { db, now }: Deps,
  { principal }: KnownCaller,
  { redirectUri, codeChallenge }: { redirectUri: string; codeChallenge: string },
): Promise<string> {
  const code = randomBase32(CODE_LENGTH);
  await addCodeGrant(db, {
    codeHash: await hashSecret(code),
    userId: principal.user,
    redirectUri,
    codeChallenge,
    decidedAt: principal.issuedAt,
    expiresAt: now + EXPIRES_SECONDS,
    now,
  });
  return code;
}

/** RFC 7636 §4.6, S256. */
async function isVerifierOf(verifier: string, challenge: string): Promise<boolean> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier));
  // Both are hashes: how far they agree tells nothing of the verifier.
  return VERIFIER.test(verifier) && base64url.encode(new Uint8Array(digest)) === challenge;
}

export const handleExchangeCode: Handler<typeof exchangeCode> = async ({ body }, deps) => {
  requireClient(body.client_id);
  if (body.grant_type !== 'authorization_code') {
    throw new OAuthError('unsupported_grant_type', 'the grant type here is authorization_code');
  }
  const hash = await hashSecret(body.code);
  const grant = await useCodeGrant(deps.db, hash, deps.now);
  if (grant === null) {
    await takeBack(deps, hash);
    throw refused();
  }
  // The code is spent by now: there is one guess.
  if (grant.redirectUri !== body.redirect_uri || !(await isVerifierOf(body.code_verifier, grant.codeChallenge))) {
    throw refused();
  }
  const { id, answer } = await accessToken(deps, grant, `${CLI_CLIENT_ID}, by browser`);
  await setGrantedToken(deps.db, hash, id);
  return answer;
};

const refused = (): OAuthError =>
  new OAuthError('invalid_grant', 'the code is not known, was used, has expired, or is not for this program');

/** RFC 6749 §4.1.2: of a code that is shown twice somebody else has a copy, so what it became ends. */
async function takeBack({ db, commit, now }: Deps, codeHash: string): Promise<void> {
  const id = await grantedToken(db, codeHash);
  const token = id === null ? null : await findToken(db, id);
  if (token !== null) await revokeToken(db, commit, token, now);
}
