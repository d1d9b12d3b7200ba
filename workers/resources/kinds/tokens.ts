import { OutriderError, unknownCluster } from '#schema/errors.ts';
import { TokenKind } from '#schema/resources/kinds/tokens.ts';
import { allowedTtl, lifeFor, mint } from '../../api/account/mint.ts';
import type { Deps, KnownCaller } from '../../api/handler.ts';
import { knowsCluster } from '../../api/permission.ts';
import type { Route } from '../../api/route.ts';
import { listTokens, readToken, removeToken } from '../../store/kinds/tokens.ts';
import { findCaller } from '../../store/rights/callers.ts';
import { findUser } from '../../store/users.ts';
import { mount } from '../mount.ts';

export const tokenRoutes: Route[] = mount(
  TokenKind,
  {
    list: async (db, request, { caller, now }) => await listTokens(db, { userId: caller.principal.user, now }, request),
    find: async (db, id, { caller: { principal, facts }, now }) =>
      await readToken(db, id, { userId: facts.administrator ? null : principal.user, now }),
    remove: removeToken,
    lists: {
      async ofUser(db, request, { within: { user }, now }) {
        if ((await findUser(db, user)) === null) throw new OutriderError('not_found', 'there is no such person');
        return await listTokens(db, { userId: user, now }, request);
      },
    },
  },
  {
    async create({ spec }, deps, caller) {
      const { description, cluster, readOnly, ttlSeconds } = spec;
      if (cluster !== null) await refuseStranger(deps, caller, cluster);
      const { row, token } = await mint(deps, {
        userId: caller.principal.user,
        kind: 'api',
        description,
        cluster,
        readOnly,
        idleSeconds: null,
        ...lifeFor(caller, deps.now, await allowedTtl(deps.db, ttlSeconds)),
      });
      return { id: row.id, once: { token } };
    },
    actions: {},
  },
);

/** @throws OutriderError unknown_cluster: it does not exist for the caller */
async function refuseStranger({ db }: Deps, { principal }: KnownCaller, cluster: string): Promise<void> {
  const facts = await findCaller(db, { user: principal.user, token: principal.token, cluster });
  if (facts === null || !knowsCluster(facts)) throw unknownCluster();
}
