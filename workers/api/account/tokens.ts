import type { deleteOwnTokens, deleteUserTokens } from '#schema/api/account/tokens.ts';
import { OutriderError } from '#schema/errors.ts';
import { CLEARED_COOKIE } from '../../authn/browser/cookie.ts';
import { endTokens } from '../../store/users.ts';
import { refuseAbove } from '../grants.ts';
import type { Deps, Handler } from '../handler.ts';

async function endAll({ db, commit, now }: Deps, userId: string): Promise<undefined> {
  if (!(await endTokens(db, commit, { id: userId, now }))) {
    throw new OutriderError('not_found', 'there is no such person');
  }
  return undefined;
}

export const handleDeleteOwnTokens: Handler<typeof deleteOwnTokens> = async (_input, deps, { principal }) => {
  deps.answer.set('set-cookie', CLEARED_COOKIE);
  return await endAll(deps, principal.user);
};

export const handleDeleteUserTokens: Handler<typeof deleteUserTokens> = async ({ params }, deps, caller) => {
  await refuseAbove(deps.db, caller, params.user);
  return await endAll(deps, params.user);
};
