import { OutriderError } from '#schema/errors.ts';
import { randomBase32 } from '#schema/ids.ts';
import { countAttempt, forgetAttempt, LONGEST_WINDOW_SECONDS, type Window } from '../store/sign-in/attempts.ts';
import { hashSecret } from './secret.ts';

/**
 * How many failed sign-ins are borne. The first keeps one guesser from one account; the second one address from trying many accounts; the third is the
 * bound on all guessers together (NIST SP 800-63B §5.2.2 allows 100 in a row), and short, because it also keeps the account's own person out.
 */
const LIMITS = {
  accountAndAddress: { limit: 10, seconds: 300 },
  address: { limit: 50, seconds: 300 },
  account: { limit: 100, seconds: LONGEST_WINDOW_SECONDS },
} as const;

/** A sign-in that was let through to the password. */
export interface Attempt {
  /** The password was right: it counts against nobody. */
  succeeded(): Promise<void>;
}

/**
 * Counts a sign-in before its password is looked at, in the database, so that it holds over all isolates; when the database fails, nobody signs in.
 * @param address what the platform says of the caller's address; null: it says nothing, and all such callers share one count
 * @param now epoch seconds
 * @throws OutriderError throttled
 */
export async function beginSignIn(
  db: D1Database,
  { username, address, now }: { username: string; address: string | null; now: number },
): Promise<Attempt> {
  const account = username.toLowerCase();
  const from = address ?? 'unknown';
  const windows: Window[] = [
    { bucket: await bucket('account-address', account, from), ...LIMITS.accountAndAddress },
    { bucket: await bucket('address', from), ...LIMITS.address },
    { bucket: await bucket('account', account), ...LIMITS.account },
  ];
  const attempt = randomBase32(16);
  const full = await countAttempt(db, attempt, windows, now);
  if (full.length > 0) {
    throw throttled('too many failed sign-ins', full);
  }
  return { succeeded: async () => await forgetAttempt(db, attempt, windows) };
}

/** How long to wait at most: attempts leave a window one by one. */
function throttled(what: string, full: readonly Window[]): OutriderError {
  const retryAfter = Math.max(...full.map(({ seconds }) => seconds));
  return new OutriderError('throttled', `${what}; wait ${Math.ceil(retryAfter / 60)} minutes and try again`, {
    retryAfter,
  });
}

/**
 * Counts something else that may be tried only so often, before it is tried, as {@link beginSignIn} does.
 * @param counted each kind with what it is counted by, and its window
 * @throws OutriderError throttled
 */
export async function beginAttempt(
  db: D1Database,
  what: string,
  counted: readonly { kind: string; by: string; limit: number; seconds: number }[],
  now: number,
): Promise<Attempt> {
  const windows = await Promise.all(
    counted.map(async ({ kind, by, limit, seconds }) => ({ bucket: await bucket(kind, by), limit, seconds })),
  );
  const attempt = randomBase32(16);
  const full = await countAttempt(db, attempt, windows, now);
  if (full.length > 0) throw throttled(what, full);
  return { succeeded: async () => await forgetAttempt(db, attempt, windows) };
}

/** Hashed, because people type passwords into the name field. */
async function bucket(kind: string, ...parts: string[]): Promise<string> {
  return await hashSecret(JSON.stringify([kind, ...parts]));
}
