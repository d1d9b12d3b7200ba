import type {
  createProvider,
  deleteProvider,
  disableProvider,
  enableProvider,
  getProvider,
  listEnabledProviders,
  listProviders,
  reencryptSecrets,
  testProvider,
  updateProvider,
} from '#schema/api/providers/providers.ts';
import { OutriderError, unknownCluster } from '#schema/errors.ts';
import { signsInByPassword } from '../../authn/providers/types.ts';
import { connectorOf, reencrypt } from '../../authn/providers/sealed.ts';
import {
  addProvider,
  disableProvider as storeDisabled,
  enableProvider as storeEnabled,
  findProvider,
  listProviders as storedProviders,
  recordTest,
  removeProvider,
  replaceProvider,
  type Provider,
} from '../../store/providers/providers.ts';
import { findCaller } from '../../store/rights/callers.ts';
import type { Deps, Handler, KnownCaller } from '../handler.ts';
import { knowsCluster, onlyOwners } from '../permission.ts';
import { changedConfig, newConfig } from './config.ts';
import { checkAccess, renderProvider } from './render.ts';

/** @throws OutriderError not_found */
export async function foundProvider({ db }: Pick<Deps, 'db'>, id: string): Promise<Provider> {
  const provider = await findProvider(db, id);
  if (provider === null) throw new OutriderError('not_found', 'there is no such sign-in provider');
  return provider;
}

const lastWayIn = (): OutriderError =>
  new OutriderError('conflict', 'no administrator could sign in then; give one a password first, or another way in');

export const handleListEnabledProviders: Handler<typeof listEnabledProviders> = async (_input, { db }) => ({
  items: (await storedProviders(db))
    .filter(({ enabled }) => enabled)
    .map(({ id, displayName, settings: { type } }) => ({
      id,
      type,
      displayName,
      startPath: signsInByPassword(type) ? null : `/v1/auth/providers/${id}/start`,
      passwordPath: signsInByPassword(type) ? `/v1/auth/providers/${id}/password` : null,
    })),
});

export const handleListProviders: Handler<typeof listProviders> = async (_input, { db, config }) => ({
  items: (await storedProviders(db)).map((provider) => renderProvider(config, provider)),
});

export const handleGetProvider: Handler<typeof getProvider> = async ({ params }, deps) =>
  renderProvider(deps.config, await foundProvider(deps, params.provider));

export const handleCreateProvider: Handler<typeof createProvider> = async ({ body }, deps, caller) => {
  const { id, displayName, access, unconfirmedHours } = body;
  checkAccess(id, access);
  if (body.config.type === 'activedirectory' && body.config.via.kind === 'cluster') {
    await mustOwn(deps, caller, body.config.via.cluster);
  }
  const { settings, secrets } = await newConfig(deps.config, id, body.config);
  const draft = { id, displayName, access, unconfirmedHours, settings, secrets };
  if (!(await addProvider(deps.db, draft, deps.now))) {
    throw new OutriderError('conflict', `there is a sign-in provider ${id} already`);
  }
  return renderProvider(deps.config, await foundProvider(deps, id));
};

export const handleUpdateProvider: Handler<typeof updateProvider> = async ({ params, body }, deps) => {
  const before = await foundProvider(deps, params.provider);
  const { displayName, access, unconfirmedHours, settings, secrets } = before;
  const config = body.config === undefined ? null : await changedConfig(deps.config, before, body.config);
  const draft = {
    id: before.id,
    displayName: body.displayName ?? displayName,
    access: body.access ?? access,
    unconfirmedHours: body.unconfirmedHours ?? unconfirmedHours,
    settings: config?.settings ?? settings,
    secrets: config?.secrets ?? secrets,
  };
  checkAccess(draft.id, draft.access);
  // People go on signing in through it: a form that does not work would keep them out.
  const tested = config !== null && before.enabled;
  if (tested) await mustWork(deps, { ...before, ...draft });
  await deps.armRefresher(deps.now);
  const change = { before, draft, isNewForm: config !== null, tested, now: deps.now };
  if (!(await replaceProvider(deps.db, deps.commit, change))) {
    const now = await foundProvider(deps, before.id);
    if (now.revision === before.revision && now.enabled === before.enabled) throw lastWayIn();
    throw new OutriderError('conflict', 'somebody else has changed this provider meanwhile; look again');
  }
  return renderProvider(deps.config, await foundProvider(deps, before.id));
};

/** An agent goes wherever a configuration says: only who owns its cluster sends it there. @throws OutriderError unknown_cluster, forbidden */
async function mustOwn({ db }: Deps, { principal }: KnownCaller, cluster: string): Promise<void> {
  const facts = await findCaller(db, { user: principal.user, token: principal.token, cluster });
  if (facts === null || !knowsCluster(facts)) throw unknownCluster();
  if (!facts.administrator && facts.role !== 'owner') throw onlyOwners();
}

/** @throws OutriderError provider_untested */
async function mustWork(deps: Deps, provider: Provider): Promise<void> {
  const failed = (await (await connectorOf(deps, provider)).test()).find(({ ok }) => !ok);
  if (failed !== undefined) {
    throw new OutriderError('provider_untested', `the new form does not work: ${failed.name}: ${failed.detail}`);
  }
}

export const handleDeleteProvider: Handler<typeof deleteProvider> = async ({ params }, deps) => {
  const { id } = await foundProvider(deps, params.provider);
  if (!(await removeProvider(deps.db, deps.commit, { id, now: deps.now }))) throw lastWayIn();
  return undefined;
};

export const handleTestProvider: Handler<typeof testProvider> = async ({ params }, deps) => {
  const provider = await foundProvider(deps, params.provider);
  const checks = await (await connectorOf(deps, provider)).test();
  const ok = checks.every((check) => check.ok);
  await recordTest(deps.db, { id: provider.id, form: provider.form, ok, now: deps.now });
  return { ok, checks };
};

export const handleEnableProvider: Handler<typeof enableProvider> = async ({ params }, deps) => {
  const { id } = await foundProvider(deps, params.provider);
  // Before the commit, so that nobody is ever due unheard.
  await deps.armRefresher(deps.now);
  if (!(await storeEnabled(deps.db, deps.commit, { id, now: deps.now }))) {
    throw new OutriderError('provider_untested', 'test it with success first, in its present form');
  }
  return renderProvider(deps.config, await foundProvider(deps, id));
};

export const handleDisableProvider: Handler<typeof disableProvider> = async ({ params }, deps) => {
  const { id } = await foundProvider(deps, params.provider);
  if (!(await storeDisabled(deps.db, deps.commit, { id, now: deps.now }))) throw lastWayIn();
  return renderProvider(deps.config, await foundProvider(deps, id));
};

export const handleReencryptSecrets: Handler<typeof reencryptSecrets> = async (_input, { db, config }) =>
  await reencrypt(db, config);
