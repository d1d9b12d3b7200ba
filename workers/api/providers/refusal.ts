import { OutriderError } from '#schema/errors.ts';
import { ProviderRefusal, ProviderUnavailable } from '../../authn/providers/provider.ts';

/** What a provider's errors are to a caller; any other error stays what it is. */
export function asRefusal(error: unknown): unknown {
  if (error instanceof ProviderUnavailable) return new OutriderError('provider_unavailable', error.told);
  if (error instanceof ProviderRefusal) return new OutriderError('sign_in_failed', error.message);
  return error;
}
