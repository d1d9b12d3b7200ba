import * as z from 'zod';
import {
  PROVIDER_TYPES,
  ProviderSettings,
  type ProviderConfig,
  type ProviderSecrets,
} from '#schema/api/providers/types.ts';
import { OutriderError } from '#schema/errors.ts';
import { openSecrets, sealSecrets } from '../../authn/providers/sealed.ts';
import type { Config } from '../../env.ts';
import type { Provider } from '../../store/providers/providers.ts';

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
    throw new OutriderError('invalid', `config.${needed}: is needed`);
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
    `config.${name}: cannot be changed, since whoever is somebody there would become somebody here; add another provider`,
  );
