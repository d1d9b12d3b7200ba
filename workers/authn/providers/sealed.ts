import * as z from 'zod';
import type { ProviderSecrets } from '#schema/api/providers/types.ts';
import type { Config } from '../../env.ts';
import type { Provider } from '../../store/providers/providers.ts';
import {
  countSealedByOtherKeys,
  replaceSealed,
  sealedByOtherKeys,
  type SealedKind,
} from '../../store/providers/sealed.ts';
import { open, seal, type Place } from '../secret-box.ts';
import { type AskVia, callbackUrl, type Connector } from './provider.ts';
import { connectorFor } from './types.ts';

/** What each sealed text is bound to. */
const PLACES: Readonly<Record<SealedKind, (id: string) => Place>> = {
  provider: (id) => ['providers', id, 'secrets'],
  principal: (principal) => ['user_principals', principal, 'grant'],
};

const Secrets = z.record(z.string(), z.string());

export async function sealSecrets(config: Config, id: string, secrets: ProviderSecrets): Promise<string> {
  return await seal(config, PLACES.provider(id), JSON.stringify(secrets));
}

export async function openSecrets(
  config: Config,
  { id, secrets }: Pick<Provider, 'id' | 'secrets'>,
): Promise<ProviderSecrets> {
  return Secrets.parse(JSON.parse(await open(config, PLACES.provider(id), secrets)));
}

export async function sealGrant(config: Config, principal: string, grant: string | null): Promise<string | null> {
  return grant === null ? null : await seal(config, PLACES.principal(principal), grant);
}

export async function openGrant(
  config: Config,
  { principal, grant }: { principal: string; grant: string | null },
): Promise<string | null> {
  return grant === null ? null : await open(config, PLACES.principal(principal), grant);
}

/** What speaks to a provider that is kept. */
export async function connectorOf(
  { config, askDirectory }: { readonly config: Config; readonly askDirectory: AskVia },
  provider: Provider,
): Promise<Connector> {
  const context = { id: provider.id, callbackUrl: callbackUrl(config, provider.id), ask: askDirectory };
  return connectorFor(provider.settings, await openSecrets(config, provider), context);
}

/** One call does this much: each text is a write. */
const AT_ONCE = 100;

/** Seals anew what older keys sealed, so that they can be taken out of the configuration. Returns how many were, and how many are left. */
export async function reencrypt(db: D1Database, config: Config): Promise<{ reencrypted: number; left: number }> {
  const [{ id: keyId }] = config.secretsKeys;
  const rows = await sealedByOtherKeys(db, keyId, AT_ONCE);
  for (const row of rows) {
    const place = PLACES[row.kind](row.id);
    await replaceSealed(db, row, await seal(config, place, await open(config, place, row.sealed)));
  }
  return { reencrypted: rows.length, left: await countSealedByOtherKeys(db, keyId) };
}
