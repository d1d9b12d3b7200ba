import { OutriderError } from '#schema/errors.ts';
import { STRANGER_RATE } from '../cluster/limits.ts';
import { Rates } from '../cluster/rates.ts';

const strangers = new Rates(STRANGER_RATE);

/**
 * Runs what finds out who is calling. Callers who are not let in are counted by address; past their rate a token that is not known is not looked at.
 * @param from asked when it matters: whose requests count as one, as throttles have it; null: the platform says nothing, and there is nobody to hold it against
 * @param find looks at a token only after it has called what it is given
 * @throws OutriderError unauthenticated, as found; overloaded
 */
export async function amongStrangers<T>(
  from: () => string | null,
  find: (unknown: () => void) => Promise<T>,
): Promise<T> {
  try {
    return await find(() => {
      const address = from();
      if (address !== null && !strangers.allows(address, Date.now())) throw refused();
    });
  } catch (error) {
    if (!(error instanceof OutriderError) || error.code !== 'unauthenticated') throw error;
    const address = from();
    if (address !== null && !strangers.spend(address, Date.now())) throw refused();
    throw error;
  }
}

const refused = (): OutriderError =>
  new OutriderError('overloaded', 'too many requests without a good token come from this address; wait a second');
