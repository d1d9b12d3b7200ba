import { OutriderError } from '#schema/errors.ts';
import { Rates } from '../cluster/rates.ts';

/**
 * Requests to everything but clusters and tunnels, a second and at once. A company behind one address, a person's page, a script that creates a thousand things stay below; a
 * flood costs little more than a look at a table. Counted by each isolate for itself, in memory; what must hold over all of them is counted in the database
 * (`authn/throttle.ts`). Requests to clusters are bounded where they go, by the object for each token (`cluster/limits.ts`), and those without a good token by address (`proxy/strangers.ts`).
 */
const LIMITS = {
  address: { perSecond: 200, burst: 2_000 },
  token: { perSecond: 100, burst: 1_000 },
} as const;

const addresses = new Rates(LIMITS.address);
const tokens = new Rates(LIMITS.token);

/**
 * Counts a request before anything else is done about it. @param address as throttles count it; null: the platform says nothing, and there is nobody to hold it against
 * @param now ms
 * @throws OutriderError overloaded
 */
export function admitAddress(address: string | null, now = Date.now()): void {
  if (address === null || addresses.spend(address, now)) return;
  throw refused('come from this address', LIMITS.address.perSecond);
}

/** The same by a token that was verified. @throws OutriderError overloaded */
export function admitToken(tokenId: string, now = Date.now()): void {
  if (!tokens.spend(tokenId, now)) throw refused('are made with this token', LIMITS.token.perSecond);
}

const refused = (how: string, perSecond: number): OutriderError =>
  new OutriderError('overloaded', `too many requests ${how}; ${perSecond} a second are answered; wait a second`);
