import * as z from 'zod';
import {
  PROVIDER_TYPES,
  ProviderSettings,
  type ProviderConfig,
  type ProviderSecrets,
} from '#schema/api/providers/types.ts';
import { OutriderError, unknownCluster } from '#schema/errors.ts';
import type { Access } from '#schema/api/providers/access.ts';
import { openSecrets, sealSecrets } from '../../authn/providers/sealed.ts';
import type { Config } from '../../env.ts';
import type { Provider } from '../../store/providers/providers.ts';
import { findCaller } from '../../store/rights/callers.ts';
import type { Deps, KnownCaller } from '../handler.ts';
import { knowsCluster, onlyOwners } from '../permission.ts';

const Secrets = z.record(z.string(), z.string().optional());

/** A configuration as it is kept. */
type Kept = Pick<Provider, 'settings' | 'secrets'>;

/** Splits what was sent into what may be shown and what may not. */
function split(sent: ProviderConfig): { settings: ProviderSettings; secrets: ProviderSecrets } {
  const names = Object.keys(PROVIDER_TYPES[sent.type].secrets.shape);
  const entries = Object.entries(sent);
  return {
    settings: ProviderSettings.parse(Object.fromEntries(entries.filter(([name]) => !names.includes(name)))),
    secrets: Secrets.parse(Object.fromEntries(entries.filter(([name]) => names.includes(name)))),
  };
}

/** What cannot be left out of a new provider: GitHub has no public clients, and a directory shows itself to nobody. */
const NEEDED: Partial<Record<ProviderSettings['type'], string>> = {
  github: 'clientSecret',
  activedirectory: 'bindPassword',
};

function checkSecrets({ type }: ProviderSettings, secrets: ProviderSecrets): void {
  const needed = NEEDED[type];
  if (needed !== undefined && secrets[needed] === undefined) {
    throw new OutriderError('invalid', `spec.config.${needed}: is needed`);
  }
}

/** @throws OutriderError invalid */
export async function newConfig(config: Config, id: string, sent: ProviderConfig): Promise<Kept> {
  const { settings, secrets } = split(sent);
  checkSecrets(settings, secrets);
  return { settings, secrets: await sealSecrets(config, id, secrets) };
}

/**
 * What was sent in place of a configuration; a secret that was left out stays.
 * @throws OutriderError invalid: the type or a setting that is fixed would change
 */
export async function changedConfig(config: Config, before: Provider, sent: ProviderConfig): Promise<Kept> {
  const { settings, secrets } = split(sent);
  if (settings.type !== before.settings.type) throw isFixed('type');
  const [old, anew]: Record<string, unknown>[] = [before.settings, settings];
  const changed = PROVIDER_TYPES[settings.type].fixed.find((name) => old?.[name] !== anew?.[name]);
  if (changed !== undefined) throw isFixed(changed);
  const kept = { ...(await openSecrets(config, before)), ...secrets };
  // Sealed anew in any case: so an old key goes out of use.
  return { settings, secrets: await sealSecrets(config, before.id, kept) };
}

const isFixed = (name: string): OutriderError =>
  new OutriderError(
    'invalid',
    `spec.config.${name}: cannot be changed, since whoever is somebody there would become somebody here; add another provider`,
  );

/** @throws OutriderError invalid: access speaks of principals of another provider, who can never come in through this one */
export function checkAccess(id: string, access: Access): void {
  if (access.mode === 'anyone') return;
  const foreign = access.principals.findIndex((principal) => !principal.startsWith(`${id}_`));
  if (foreign >= 0) {
    throw new OutriderError('invalid', `spec.access.principals.${foreign}: must be of this provider, ${id}_…`);
  }
}

/** An agent goes wherever a configuration says: only who owns its cluster sends it there. @throws OutriderError unknown_cluster, forbidden */
export async function mayUse({ db }: Deps, { principal }: KnownCaller, config: ProviderConfig): Promise<void> {
  if (config.type !== 'activedirectory' || config.via.kind !== 'cluster') return;
  const { cluster } = config.via;
  const facts = await findCaller(db, { user: principal.user, token: principal.token, cluster });
  if (facts === null || !knowsCluster(facts)) throw unknownCluster();
  if (!facts.administrator && facts.role !== 'owner') throw onlyOwners();
}
