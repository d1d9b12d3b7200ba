import type { Result } from '#schema/api/endpoint.ts';
import {
  tokenListing,
  type createToken,
  type deleteOwnTokens,
  type deleteToken,
  type deleteUserTokens,
  type listTokens,
  type listUserTokens,
} from '#schema/api/account/tokens.ts';
import { OutriderError, unknownCluster } from '#schema/errors.ts';
import { nextPage, readList } from '#schema/resources/list.ts';
import { CLEARED_COOKIE } from '../../authn/browser/cookie.ts';
import { findCaller } from '../../store/rights/callers.ts';
import { findToken, listTokens as storedTokens, revokeToken } from '../../store/sign-in/tokens.ts';
import { endTokens, findUser } from '../../store/users.ts';
import { refuseAbove } from '../grants.ts';
import type { Deps, Handler } from '../handler.ts';
import { allowedTtl, lifeFor, mint } from './mint.ts';
import { knowsCluster } from '../permission.ts';
import { renderToken } from '../render.ts';

export const handleCreateToken: Handler<typeof createToken> = async ({ body }, deps, caller) => {
  const { user, token: own } = caller.principal;
  if (body.cluster !== null) {
    const facts = await findCaller(deps.db, { user, token: own, cluster: body.cluster });
    if (facts === null || !knowsCluster(facts)) throw unknownCluster();
  }
  const { row, token } = await mint(deps, {
    userId: user,
    kind: 'api',
    description: body.description,
    cluster: body.cluster,
    readOnly: body.readOnly,
    idleSeconds: null,
    ...lifeFor(caller, deps.now, await allowedTtl(deps.db, body.ttlSeconds)),
  });
  return { ...renderToken({ ...row, lastUsedAt: null, lastUsedFrom: null }), token };
};

async function pageOfTokens(
  db: D1Database,
  whose: { userId: string; now: number },
  query: Parameters<typeof readList>[1],
): Promise<Result<typeof listTokens>> {
  const request = readList(tokenListing, query);
  const { items, next } = await storedTokens(db, whose, request);
  return { items: items.map(renderToken), continue: nextPage(request, next) };
}

export const handleListTokens: Handler<typeof listTokens> = async ({ query }, { db, now }, { principal }) =>
  await pageOfTokens(db, { userId: principal.user, now }, query);

export const handleDeleteToken: Handler<typeof deleteToken> = async ({ params }, deps, { principal, facts }) => {
  const { db, commit, now } = deps;
  const token = await findToken(db, params.token);
  const reachable = token !== null && (token.userId === principal.user || facts.administrator);
  if (!reachable || !(await revokeToken(db, commit, token, now))) {
    throw new OutriderError('not_found', 'there is no such token');
  }
  return undefined;
};

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

export const handleListUserTokens: Handler<typeof listUserTokens> = async ({ params, query }, { db, now }) => {
  if ((await findUser(db, params.user)) === null) throw new OutriderError('not_found', 'there is no such person');
  return await pageOfTokens(db, { userId: params.user, now }, query);
};

export const handleDeleteUserTokens: Handler<typeof deleteUserTokens> = async ({ params }, deps, caller) => {
  await refuseAbove(deps.db, caller, params.user);
  return await endAll(deps, params.user);
};
