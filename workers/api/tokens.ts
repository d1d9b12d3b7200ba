import type { createToken, deleteToken, listTokens } from '#schema/api/tokens.ts';
import { OutriderError, unknownCluster } from '#schema/errors.ts';
import { findCaller } from '../store/callers.ts';
import { findToken, listTokens as storedTokens, revokeToken } from '../store/tokens.ts';
import type { Handler } from './handler.ts';
import { lifeFor, mint } from './mint.ts';
import { knowsCluster } from './permission.ts';
import { renderToken } from './render.ts';

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
    ...lifeFor(caller, deps.now, body.ttlSeconds),
  });
  return { ...renderToken(row), token };
};

export const handleListTokens: Handler<typeof listTokens> = async (_input, { db, now }, { principal }) => ({
  items: (await storedTokens(db, principal.user, now)).map(renderToken),
});

export const handleDeleteToken: Handler<typeof deleteToken> = async ({ params }, deps, { principal, facts }) => {
  const { db, commit, now } = deps;
  const token = await findToken(db, params.token);
  const reachable = token !== null && (token.userId === principal.user || facts.administrator);
  if (!reachable || !(await revokeToken(db, commit, token, now))) {
    throw new OutriderError('not_found', 'there is no such token');
  }
  return undefined;
};
