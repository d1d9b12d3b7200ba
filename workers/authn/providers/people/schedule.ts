import type { Provider } from '../../../store/providers/providers.ts';

/** Groups are asked for again after this, seconds: a lost group matters within the hour. */
const REFRESH_SECONDS = 3600;

/** A provider that could not be asked is tried again after this, seconds. */
const RETRY_SECONDS = 300;

/** A provider's own wish is heeded up to this, seconds. */
const LONGEST_WAIT_SECONDS = 3600;

const HOUR = 3600;

/** Until when a provider's word holds that it gave at a moment. Epoch seconds. */
export const holdsUntil = ({ unconfirmedHours }: Pick<Provider, 'unconfirmedHours'>, confirmedAt: number): number =>
  confirmedAt + unconfirmedHours * HOUR;

/** When somebody is to be asked for after the provider has just spoken of them. Where it cannot be asked, that is when its word lapses. */
export function refreshAfter(
  provider: Pick<Provider, 'unconfirmedHours'>,
  { now, hasGrant }: { now: number; hasGrant: boolean },
): number {
  return hasGrant ? now + REFRESH_SECONDS : holdsUntil(provider, now);
}

/** When to try again after the provider could not be asked. */
export const retryAt = (now: number, wish: number | null): number =>
  now + Math.min(Math.max(wish ?? 0, RETRY_SECONDS), LONGEST_WAIT_SECONDS);
