import type { z } from 'zod';
import { moment } from '#schema/api/endpoint.ts';
import type { Access, Provider as ProviderResource } from '#schema/api/providers/providers.ts';
import { OutriderError } from '#schema/errors.ts';
import { callbackUrl, ProviderRefusal, ProviderUnavailable } from '../../authn/providers/provider.ts';
import type { Config } from '../../env.ts';
import type { Provider } from '../../store/providers/providers.ts';

/** A provider for its administrators: secrets are not among what is picked. */
export function renderProvider(config: Config, provider: Provider): z.input<typeof ProviderResource> {
  const { id, displayName, enabled, access, unconfirmedHours, settings, form, testedForm, testedAt } = provider;
  return {
    id,
    displayName,
    enabled,
    access,
    unconfirmedHours,
    config: settings,
    tested: testedForm === form,
    testedAt: testedAt === null ? null : moment(testedAt),
    callbackUrl: callbackUrl(config, id),
    createdAt: moment(provider.createdAt),
    updatedAt: moment(provider.updatedAt),
  };
}

/** @throws OutriderError invalid: access speaks of principals of another provider, who can never come in through this one */
export function checkAccess(id: string, access: Access): void {
  if (access.mode === 'anyone') return;
  const foreign = access.principals.findIndex((principal) => !principal.startsWith(`${id}_`));
  if (foreign >= 0) {
    throw new OutriderError('invalid', `access.principals.${foreign}: must be of this provider, ${id}_…`);
  }
}

/** What a provider's errors are to a caller; any other error stays what it is. */
export function asRefusal(error: unknown): unknown {
  if (error instanceof ProviderUnavailable) return new OutriderError('provider_unavailable', error.told);
  if (error instanceof ProviderRefusal) return new OutriderError('sign_in_failed', error.message);
  return error;
}
