import type { listEnabledProviders, reencryptSecrets } from '#schema/api/providers/providers.ts';
import { OutriderError } from '#schema/errors.ts';
import { signsInByPassword } from '../../authn/providers/types.ts';
import { reencrypt } from '../../authn/providers/sealed.ts';
import { findProvider, listProviders, type Provider } from '../../store/providers/providers.ts';
import type { Deps, Handler } from '../handler.ts';

/** @throws OutriderError not_found */
export async function foundProvider({ db }: Pick<Deps, 'db'>, id: string): Promise<Provider> {
  const provider = await findProvider(db, id);
  if (provider === null) throw new OutriderError('not_found', 'there is no such sign-in provider');
  return provider;
}

export const handleListEnabledProviders: Handler<typeof listEnabledProviders> = async (_input, { db }) => ({
  items: (await listProviders(db))
    .filter(({ enabled }) => enabled)
    .map(({ id, displayName, settings: { type } }) => ({
      id,
      type,
      displayName,
      startPath: signsInByPassword(type) ? null : `/v1/auth/providers/${id}/start`,
      passwordPath: signsInByPassword(type) ? `/v1/auth/providers/${id}/password` : null,
    })),
});

export const handleReencryptSecrets: Handler<typeof reencryptSecrets> = async (_input, { db, config }) =>
  await reencrypt(db, config);
