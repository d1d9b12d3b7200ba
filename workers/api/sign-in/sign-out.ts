import type { getKeys, signOut } from '#schema/api/account/sessions.ts';
import { OutriderError } from '#schema/errors.ts';
import { CLEARED_COOKIE } from '../../authn/browser/cookie.ts';
import { findToken, revokeToken } from '../../store/sign-in/tokens.ts';
import type { Handler } from '../handler.ts';

export const handleSignOut: Handler<typeof signOut> = async (_input, deps, { principal }) => {
  const { db, commit, now, answer } = deps;
  answer.set('set-cookie', CLEARED_COOKIE);
  const token = await findToken(db, principal.token);
  if (token === null || !(await revokeToken(db, commit, token, now))) {
    throw new OutriderError('not_found', 'this token is on no list of the plane: it ends by itself');
  }
  return undefined;
};

export const handleGetKeys: Handler<typeof getKeys> = async (_input, { config }) => ({
  keys: config.signingKeys.map(({ kid, x }) => ({ kty: 'OKP', crv: 'Ed25519', x, kid, alg: 'EdDSA', use: 'sig' })),
});
