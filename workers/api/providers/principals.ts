import { moment } from '#schema/api/endpoint.ts';
import {
  providerOf,
  type joinUserPrincipal,
  type listUserPrincipals,
  type refreshUser,
  type removeUserPrincipal,
  type searchPrincipals,
} from '#schema/api/providers/principals.ts';
import { OutriderError } from '#schema/errors.ts';
import { refreshOne } from '../../authn/providers/people/refresh.ts';
import { holdsUntil } from '../../authn/providers/people/schedule.ts';
import { MAX_FOUND, type Found } from '../../authn/providers/provider.ts';
import { connectorOf } from '../../authn/providers/sealed.ts';
import {
  findPrincipal,
  joinPrincipal,
  listPrincipals,
  removePrincipal,
  searchGroups,
  searchPeople,
  type UserPrincipal,
} from '../../store/providers/principals.ts';
import { findUser } from '../../store/users.ts';
import type { Deps, Handler } from '../handler.ts';
import { foundProvider } from './providers.ts';
import { asRefusal } from './refusal.ts';

async function mustBeThere({ db }: Deps, user: string): Promise<void> {
  if ((await findUser(db, user)) === null) throw new OutriderError('not_found', 'there is no such person');
}

const render = ({ principal, provider, loginName, displayName, gone, confirmedAt }: UserPrincipal) => ({
  principal,
  provider,
  loginName,
  displayName,
  gone,
  confirmedAt: moment(confirmedAt),
});

export const handleListUserPrincipals: Handler<typeof listUserPrincipals> = async ({ params }, deps) => {
  await mustBeThere(deps, params.user);
  return { items: (await listPrincipals(deps.db, params.user)).map(render) };
};

export const handleJoinUserPrincipal: Handler<typeof joinUserPrincipal> = async ({ params, body }, deps) => {
  await mustBeThere(deps, params.user);
  const provider = await foundProvider(deps, providerOf(body.principal));
  if (!body.principal.startsWith(`${provider.id}_user://`)) {
    throw new OutriderError('invalid', `principal: must be somebody, ${provider.id}_user://…`);
  }
  const row: UserPrincipal = {
    principal: body.principal,
    userId: params.user,
    provider: provider.id,
    loginName: body.loginName,
    displayName: body.loginName,
    grant: null,
    gone: false,
    createdAt: deps.now,
    confirmedAt: deps.now,
    // Nothing is known of them until they sign in.
    refreshAt: holdsUntil(provider, deps.now),
  };
  await deps.armRefresher(row.refreshAt);
  const outcome = await joinPrincipal(deps.db, deps.commit, row);
  if (outcome === 'gone') throw new OutriderError('not_found', 'the person is gone, or is being removed');
  if (outcome === 'taken') {
    throw new OutriderError('conflict', 'the principal is somebody’s already, or this person has one at this provider');
  }
  return render(row);
};

export const handleRemoveUserPrincipal: Handler<typeof removeUserPrincipal> = async ({ params, query }, deps) => {
  const row = await findPrincipal(deps.db, query.principal);
  if (row === null || row.userId !== params.user) {
    throw new OutriderError('not_found', 'this person has no such principal');
  }
  if (!(await removePrincipal(deps.db, deps.commit, { ...row, now: deps.now }))) {
    throw new OutriderError('conflict', 'no administrator could sign in then; make another way in first');
  }
  return undefined;
};

export const handleRefreshUser: Handler<typeof refreshUser> = async ({ params }, deps) => {
  await mustBeThere(deps, params.user);
  const items = [];
  for (const row of await listPrincipals(deps.db, params.user)) items.push(await refreshOne(deps, row, deps.now));
  return { items };
};

export const handleSearchPrincipals: Handler<typeof searchPrincipals> = async ({ query }, deps) => {
  const provider = await foundProvider(deps, query.provider);
  const asked = { provider: provider.id, query: query.query, limit: MAX_FOUND };
  const [groups, people] = [await searchGroups(deps.db, asked), await searchPeople(deps.db, asked)];
  let there: Found[];
  try {
    there = await (await connectorOf(deps, provider)).search(query.query);
  } catch (error) {
    throw asRefusal(error);
  }
  const known: Found[] = [
    ...groups.map(({ principal, displayName }) => ({
      principal,
      kind: 'group' as const,
      name: displayName,
      displayName,
    })),
    ...people.map(({ principal, loginName, displayName }) => ({
      principal,
      kind: 'user' as const,
      name: loginName,
      displayName,
    })),
  ];
  const byPrincipal = new Map([...there, ...known].map((found) => [found.principal, found]));
  return { items: [...byPrincipal.values()] };
};
