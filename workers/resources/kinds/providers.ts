import { ProviderConfig } from '#schema/api/providers/types.ts';
import { OutriderError } from '#schema/errors.ts';
import { ProviderKind } from '#schema/resources/kinds/providers.ts';
import { changedConfig, checkAccess, mayUse, newConfig } from '../../api/providers/config.ts';
import type { Deps } from '../../api/handler.ts';
import { foundProvider } from '../../api/providers/providers.ts';
import type { Route } from '../../api/route.ts';
import type { Check } from '../../authn/providers/provider.ts';
import { connectorOf } from '../../authn/providers/sealed.ts';
import {
  addProvider,
  disableProvider,
  enableProvider,
  findProviderResource,
  isNamedByRoles,
  listProviderResources,
  recordTest,
  removeProvider,
  retireProvider,
  updateProvider,
  type StoredProvider,
} from '../../store/kinds/providers.ts';
import type { Provider } from '../../store/providers/providers.ts';
import type { Change, Outcome } from '../../store/kinds/common/stored.ts';
import { mount } from '../mount.ts';

const NEEDED = 'no administrator could sign in then; give one a password first, or another way in';

export const providerRoutes: Route[] = mount(
  ProviderKind,
  {
    list: listProviderResources,
    find: findProviderResource,
    update,
    retire: retireProvider,
    remove: removeProvider,
  },
  {
    refusal: NEEDED,
    async guard({ id }, change) {
      if (change !== null) checkAccess(id, change.spec.access);
    },
    async create({ name: id, spec }, deps, caller) {
      checkAccess(id, spec.access);
      await mayUse(deps, caller, spec.config);
      if (!caller.facts.administrator && (await isNamedByRoles(deps.db, id))) {
        throw new OutriderError(
          'conflict',
          `roles are given to groups of a provider ${id}, and whoever adds it says who is in them: let an administrator add it, or choose another name`,
        );
      }
      const form = await newConfig(deps.config, id, spec.config);
      return (await addProvider(deps, { id, spec, form })) ? id : null;
    },
    actions: {
      async test(provider, _body, deps) {
        const checks = await (await connectorOf(deps, await foundProvider(deps, provider.id))).test();
        return done(await recordTest(deps, provider, checks));
      },
      async enable(provider, _body, deps) {
        if (provider.spec.enabled) return 'done';
        // Before the commit, so that nobody is ever due unheard.
        await deps.armRefresher(deps.now);
        const outcome = await enableProvider(deps, provider);
        if (outcome === 'refused') {
          throw new OutriderError('provider_untested', 'test it with success first, in its present form');
        }
        return done(outcome);
      },
      async disable(provider, _body, deps) {
        if (!provider.spec.enabled) return 'done';
        const outcome = await disableProvider(deps, provider);
        if (outcome === 'refused') throw new OutriderError('conflict', NEEDED);
        return done(outcome);
      },
    },
  },
);

const done = (outcome: Outcome): 'done' | 'stale' => (outcome === 'done' ? 'done' : 'stale');

/** Seals the secrets that a change brings, and, while people sign in through the provider, tries its new form first: one that does not work would keep them out. */
async function update(deps: Deps, change: Change<StoredProvider['spec']>): Promise<Outcome> {
  const { before, spec } = change;
  const provider = await foundProvider(deps, before.id);
  const isNew = JSON.stringify(spec.config) !== JSON.stringify(before.spec.config);
  // What was sent may hold secrets beside what is shown.
  const form = isNew ? await changedConfig(deps.config, provider, ProviderConfig.parse(spec.config)) : null;
  const checks = form !== null && before.spec.enabled ? await mustWork(deps, { ...provider, ...form }) : null;
  await deps.armRefresher(deps.now);
  return await updateProvider(deps, change, { form, checks });
}

/** @throws OutriderError provider_untested */
async function mustWork(deps: Deps, provider: Provider): Promise<Check[]> {
  const checks = await (await connectorOf(deps, provider)).test();
  const failed = checks.find(({ ok }) => !ok);
  if (failed !== undefined) {
    throw new OutriderError('provider_untested', `the new form does not work: ${failed.name}: ${failed.detail}`);
  }
  return checks;
}
